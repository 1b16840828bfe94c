"""`manage.py serve`: HTTP and the WebSocket, in one process with everything that belongs to them, or in several."""

from __future__ import annotations

import os
import sys
from argparse import SUPPRESS
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pkgutil import iter_modules
from socket import socket as Socket  # noqa: N812
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from common.addresses import is_loopback
from common.errors import brief
from realtime.server.uvicorn_server import address_of, make_server
from realtime.server.workers import CannotStartError, Workers, end_with_parent, listen, tell_parent_that_it_serves
from realtime.socket.handshake import has_public_secrets

MOST_WORKERS = 64


class Command(BaseCommand):
    """Serve HTTP and the WebSocket until SIGTERM or Ctrl-C."""

    help = "Serve HTTP and the WebSocket with everything that belongs to them, in one process."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument(
            "--port", type=int, default=8000, help="port to listen on, 0 for any (default: %(default)s)"
        )
        parser.add_argument("--workers", type=int, default=1, help="processes; more than one needs Redis and NATS")
        parser.add_argument("--demo", action="store_true", help="with a small town around Monas that lives by itself")
        parser.add_argument("--socket", type=int, help=SUPPRESS)  # of a worker: the socket it was started with

    def handle(
        self, *args: Any, host: str, port: int, workers: int, demo: bool, socket: int | None, **options: Any
    ) -> None:
        """Refuse what cannot work, then serve."""
        if not 1 <= workers <= MOST_WORKERS:
            raise CommandError(f"--workers must be a number from 1 to {MOST_WORKERS}.")
        if workers > 1 and not settings.DISTRIBUTED:
            raise CommandError("--workers must be 1: without REDIS_URL and NATS_URL one process does everything.")
        if not 0 <= port <= 65535:
            raise CommandError("--port must be a number from 0 to 65535.")
        refuse_development_secrets(host)
        if demo or settings.DEMO:
            refuse_demo(host)
        if demo:
            show_demo()
        refuse_old_database()
        if settings.DEBUG and not is_loopback(host):
            self.stderr.write(f"DEBUG is on: it is for development, and slower; {host} is not only this machine.")
        staff = open_town() if demo and socket is None else None
        welcome = partial(self._welcome, staff=staff)
        if workers > 1:
            self._serve_with(workers, host, port, demo=demo, welcome=welcome)
            return
        if socket is not None:
            end_with_parent()
        on_started = welcome if socket is None else lambda _: tell_parent_that_it_serves()
        server = make_server(host, port, on_started, demo=demo)
        server.run(sockets=None if socket is None else [Socket(fileno=socket)])
        if not server.started:
            raise CommandError("The server could not start; see the lines above.")

    def _serve_with(self, workers: int, host: str, port: int, *, demo: bool, welcome: Callable[[str], None]) -> None:
        """Serve with several processes; the town, if any, lives in the first."""
        try:
            listener = listen(host, port)
        except OSError as exc:
            raise CommandError(f"Cannot listen on {host}:{port}: {exc.strerror}.") from exc
        port = listener.getsockname()[1]
        command = [sys.argv[0], "serve", "--host", host, "--port", str(port)]
        commands = [[*command, *(["--demo"] if demo and not place else []), "--socket"] for place in range(workers)]
        welcome(address_of(host, port))
        try:
            Workers(listener, commands).run()
        except CannotStartError as exc:
            raise CommandError(str(exc)) from exc

    def _welcome(self, address: str, *, staff: tuple[str, str, str] | None) -> None:
        self.stdout.write(f"NebengJek serves {address} (the WebSocket is {address.replace('http', 'ws', 1)}/ws/).")
        if settings.DISTRIBUTED:
            self.stdout.write("Events go over NATS: `manage.py run_nats_bridge` must run beside it.")
        port = address.rsplit(":", 1)[1]
        ride = "make ride" if port == "8000" else f"make ride PORT={port}"
        if settings.DEMO:
            self.stdout.write(f"Two phones to play with: {address}/")
        if staff:
            number, password, people = staff
            self.stdout.write(f"A town of {people} lives around Monas.")
            self.stdout.write(f"Staff: {address}/admin/ with {number} and {password} (a new password at each start).")
        else:
            self.stdout.write(f"Staff: {address}/admin/ (`manage.py createsuperuser` makes somebody staff).")
        self.stdout.write(f"Take a ride, in another terminal: {ride}. Stop with Ctrl-C.")
        self.stdout.flush()


def refuse_development_secrets(host: str) -> None:
    """Raise `CommandError` where other machines could reach a server whose secrets are in its source code."""
    if has_public_secrets() and not is_loopback(host):
        raise CommandError(f"Set SECRET_KEY and JWT_SECRET before listening on {host}: the defaults are public.")


def refuse_demo(host: str) -> None:
    """Raise `CommandError` where a town of simulated people, and staff with a printed password, would be a danger."""
    if not settings.DEBUG:
        raise CommandError("A demo is for development: with DEBUG off this may be a real town.")
    if not is_loopback(host):
        raise CommandError(f"A demo listens on the loopback address only, not on {host}.")


def open_town() -> tuple[str, str, str]:
    """Prepare the town of a demo; return number and password of its staff, and who lives in it."""
    from simulation.town import DRIVERS, PASSENGERS, town_office  # 0.1 s of start that only a demo needs

    return *town_office(), f"{len(DRIVERS)} drivers and {len(PASSENGERS)} passengers"


def show_demo() -> None:
    """Turn `DEMO` on, here and in the worker processes."""
    os.environ["DEMO"] = "true"
    settings.DEMO = True


def refuse_old_database() -> None:
    """Raise `CommandError` where the tables are not those of this version, or there is no database."""
    try:
        applied = set(MigrationRecorder(connection).applied_migrations())
    except DatabaseError as exc:
        raise CommandError(f"The database does not answer: {brief(exc)}") from exc
    if not migrations_here() <= applied:
        raise CommandError("The database is not up to date: run `manage.py migrate` first (`make run` does).")
    connection.close()


def migrations_here() -> set[tuple[str, str]]:
    """Return app and name of every migration, without importing them: that would take a third of the start."""
    found: set[tuple[str, str]] = set()
    for app in apps.get_app_configs():
        module, _ = MigrationLoader.migrations_module(app.label)
        spec = find_spec(module) if module else None
        folders = spec.submodule_search_locations if spec else None
        names = (one.name for one in iter_modules(folders or []) if one.name[0] not in "_~")
        found |= {(app.label, name) for name in names}
    return found
