"""`manage.py serve`: the whole system in one process."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from realtime.middleware import has_public_secrets, is_loopback
from realtime.server import make_server
from realtime.simulation.town import DRIVERS, PASSENGERS, staff_account


class Command(BaseCommand):
    """Serve HTTP and the WebSocket until told to stop."""

    help = "Serve HTTP and the WebSocket with everything that belongs to them, in one process."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument(
            "--port", type=int, default=8000, help="port to listen on, 0 for any (default: %(default)s)"
        )
        parser.add_argument("--workers", type=int, default=1, help="processes; more than one needs Redis and NATS")

        parser.add_argument("--demo", action="store_true", help="with a small town around Monas that lives by itself")

    def handle(self, *args: Any, host: str, port: int, workers: int, demo: bool, **options: Any) -> None:
        """Refuse what cannot work, then serve."""
        if workers != 1:
            raise CommandError("--workers must be 1: without REDIS_URL and NATS_URL one process does everything.")
        if not 0 <= port <= 65535:
            raise CommandError("--port must be a number from 0 to 65535.")
        refuse_development_secrets(host)
        if demo:
            refuse_demo(host)
        refuse_old_database()
        if settings.DEBUG and not is_loopback(host):
            self.stderr.write(f"DEBUG is on: whoever reaches {host} sees error pages with source code and settings.")
        staff = staff_account() if demo else None
        server = make_server(host, port, partial(self._welcome, staff=staff), demo=demo)
        server.run()
        if not server.started:
            raise CommandError("The server could not start; the lines above say why.")

    def _welcome(self, address: str, *, staff: tuple[str, str] | None) -> None:
        self.stdout.write(f"NebengJek serves {address} (the WebSocket is {address.replace('http', 'ws', 1)}/ws/).")
        port = address.rsplit(":", 1)[1]
        ride = "make ride" if port == "8000" else f"make ride PORT={port}"
        if staff:
            number, password = staff
            self.stdout.write(f"A town of {len(DRIVERS)} drivers and {len(PASSENGERS)} passengers lives around Monas.")
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
        raise CommandError("--demo is for development: with DEBUG off this may be a real town.")
    if not is_loopback(host):
        raise CommandError(f"--demo listens on the loopback address only, not on {host}.")


def refuse_old_database() -> None:
    """Raise `CommandError` where the tables are not those of this version."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError("The database is not up to date: run `manage.py migrate` first (`make run` does).")
    connection.close()
