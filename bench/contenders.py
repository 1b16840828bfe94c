"""What is measured side by side: the project in both of its forms and its peers, each in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec
import nats
import socketio
from channels_redis.core import RedisChannelLayer

from bench.load import SOCKET_IO, Dialect, Person
from devservers.patience import POLL, TIMEOUT
from devservers.process import free_port
from devservers.servers import NatsServer, ValkeyServer
from devservers.topology import Topology
from devservers.web import ServerProcess
from nebengjek.settings import BASE_DIR

SECRET = "a secret of benchmarks, long enough for HS256"  # noqa: S105

PRODUCTION = {
    "DEBUG": "0",
    "SECRET_KEY": "a key of benchmarks, at least as long as is asked for",
    "JWT_SECRET": SECRET,
    "SMS_BACKEND": "bench.silent.Silent",
    "LOG_LEVEL": "INFO",
    "WS_LOCATION_RATE": "0",
}
"""As in production, but for the limits, which `ServerProcess` turns off."""

OURS = Dialect(ready=b'"session_ready"')

MAKE_PEOPLE = """
from uuid import UUID
from users.models import User
roles = ("passenger", "driver")
User.objects.bulk_create(
    [User(id=UUID(int=n), msisdn="+62877%08d" % n, role=roles[n % 2]) for n in range(1, {count} + 1)], 500
)
"""

MAKE_RIDES = """
from uuid import UUID
from django.utils import timezone
from rides.models import Finder, Match, Ride
now, place = timezone.now(), dict(latitude=-6.2, longitude=106.8, target_latitude=-6.3, target_longitude=106.8)
for n in range({first}, {last} + 1, 2):
    people = dict(driver_id=UUID(int=n), passenger_id=UUID(int=n + 1))
    times = dict(attempt_ends_at=now, due_at=now, created_at=now)
    finder = Finder.objects.create(passenger_id=UUID(int=n + 1), status="MATCHED", **place, **times)
    offer = dict(driver_latitude=-6.2, driver_longitude=106.8, distance_km=0, expires_at=now, created_at=now)
    match = Match.objects.create(finder=finder, status="ACCEPTED", **people, **place, **offer)
    Ride.objects.create(match=match, status="{status}", rate_per_km=3000, unit_km=1, created_at=now, **people)
"""
"""Rides of the people of these numbers, in pairs."""

GO_PORT = 8123
"""Where the Go peer listens; it stands in its source."""

FLUSH_EVERY = 250


class Publisher(Protocol):
    """Notifies two people."""

    async def __call__(self, driver: Person, passenger: Person, number: int) -> None:
        """Publish one notification for both."""


Publishing = Callable[[], AbstractAsyncContextManager[Publisher]]


class Running(msgspec.Struct):
    """A contender that has started: where it listens, its processes, and how one notifies its users."""

    port: int
    dialect: Dialect
    pids: dict[str, int]
    publishing: Publishing | None = None
    restart: Callable[[], int] | None = None
    """Kill the web process without warning and start it again; returns the new pid."""

    shell: Callable[[str], None] | None = None
    """Run Python in its `manage.py shell`."""


class Contender(msgspec.Struct, frozen=True):
    """Something to measure."""

    name: str
    start: Callable[[Path, int], AbstractContextManager[Running]]


def contenders() -> list[Contender]:
    """Return all of them, in the order in which each round runs them; the Go peer where `GO_PEER` names it."""
    found = [
        Contender("NebengJek, SQLite", embedded),
        Contender("NebengJek, PostgreSQL + Valkey + NATS", distributed),
        Contender("bare ASGI (the limit)", _bare_asgi),
        Contender("Channels tutorial", _stock_channels),
        Contender("python-socketio", _socket_io),
    ]
    return [*found, Contender("Go", _go)] if os.environ.get("GO_PEER") else found


@contextmanager
def embedded(folder: Path, users: int, **env: str) -> Iterator[Running]:
    """Start one process on SQLite."""
    server = ServerProcess(folder, "manage.py", "serve", "--port", str(free_port()), **{**PRODUCTION, **env})
    server.migrate()
    _make_people(server, users)
    server.start()
    try:
        yield _ours(server)
    finally:
        server.stop()


@contextmanager
def distributed(folder: Path, users: int, workers: int = 1) -> Iterator[Running]:
    """Start the whole system; the processor time of several workers is not theirs but that of who watches over them."""
    with Topology(folder, webs=1, bridges=1, **PRODUCTION).with_workers(workers) as topology:
        _make_people(topology.webs[0], users)
        running = _ours(topology.webs[0])
        running.pids |= {"bridge": _pid(topology.bridges[0])}
        running.publishing = lambda: over_nats(topology.nats.url)
        yield running


def _make_people(server: ServerProcess, count: int) -> None:
    _shell(server, MAKE_PEOPLE.format(count=count))


def _shell(server: ServerProcess, code: str) -> None:
    done = server.manage("shell", "--verbosity", "0", "-c", code)
    assert done.returncode == 0, done.stderr


def _ours(server: ServerProcess) -> Running:
    def restart() -> int:
        server.kill()
        server.launch()
        return _pid(server)

    shell = partial(_shell, server)
    return Running(int(server.command[-1]), OURS, {"web": _pid(server)}, restart=restart, shell=shell)


def _bare_asgi(folder: Path, users: int) -> AbstractContextManager[Running]:
    return _peer(folder, "uvicorn", "bare_asgi:app", Dialect(), "http://127.0.0.1:1")


@contextmanager
def _stock_channels(folder: Path, users: int) -> Iterator[Running]:
    with (
        ValkeyServer(folder / "valkey", appendonly=False) as valkey,
        _peer(folder, "daphne", "stock_channels:application", Dialect(), valkey.url) as running,
    ):
        running.publishing = lambda: _over_channels(valkey.url)
        yield running


@contextmanager
def _socket_io(folder: Path, users: int) -> Iterator[Running]:
    with (
        ValkeyServer(folder / "valkey", appendonly=False) as valkey,
        _peer(folder, "uvicorn", "socket_io:app", SOCKET_IO, valkey.url) as running,
    ):
        running.publishing = lambda: _over_socket_io(valkey.url)
        yield running


@contextmanager
def _go(folder: Path, users: int) -> Iterator[Running]:
    with NatsServer(folder / "nats") as broker:
        asyncio.run(_make_stream(broker.url))
        runner = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
        env = {"NATS_URL": broker.url, "JWT_SECRET": SECRET}
        server = ServerProcess(folder, "-c", runner, os.environ["GO_PEER"], **env)
        with _started(server, GO_PORT, Dialect()) as running:
            running.publishing = lambda: over_nats(broker.url)
            yield running


def _peer(folder: Path, server: str, app: str, dialect: Dialect, redis_url: str) -> AbstractContextManager[Running]:
    port = free_port()
    quiet = ("--log-level", "warning") if server == "uvicorn" else ("--verbosity", "0")
    env = {"PYTHONPATH": str(BASE_DIR / "bench" / "peers"), "REDIS_URL": redis_url, "JWT_SECRET": SECRET}
    process = ServerProcess(folder, "-m", server, *quiet, "--port", str(port), app, **env)
    return _started(process, port, dialect)


@contextmanager
def _started(process: ServerProcess, port: int, dialect: Dialect) -> Iterator[Running]:
    process.launch()
    try:
        wait_for_port(port, process)
        yield Running(port, dialect, {"web": _pid(process)})
    finally:
        process.stop()


def wait_for_port(port: int, process: ServerProcess) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.is_alive:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(POLL)
        else:
            return
    raise AssertionError(f"Nobody listens on {port}:\n{''.join(process.output)}")


def _pid(process: ServerProcess) -> int:
    assert process.process is not None
    return process.process.pid


def notification(driver: Person, passenger: Person, number: int) -> dict[str, object]:
    """Return a notification for two people, as another service publishes it."""
    place = {"latitude": -6.2, "longitude": 106.8}
    ids = {"match_id": f"bench-{number}", "driver_id": str(driver.id), "passenger_id": str(passenger.id)}
    return {**ids, "location": place, "target_location": place, "match_status": "PENDING", "sent_at": time.time()}


@asynccontextmanager
async def over_nats(url: str) -> AsyncIterator[Publisher]:
    """Publish `match.found` into the stream."""
    client = await nats.connect(url)

    async def publish(driver: Person, passenger: Person, number: int) -> None:
        await client.publish("match.found", json.dumps(notification(driver, passenger, number)).encode())
        if number % FLUSH_EVERY == 0:
            await client.flush()

    try:
        yield publish
    finally:
        await client.close()


async def _make_stream(url: str) -> None:
    client = await nats.connect(url)
    await client.jetstream().add_stream(name="NEBENGJEK", subjects=["match.*"])
    await client.close()


@asynccontextmanager
async def _over_channels(url: str) -> AsyncIterator[Publisher]:
    layer = RedisChannelLayer(hosts=[url])

    async def publish(driver: Person, passenger: Person, number: int) -> None:
        message = {"type": "notify", "data": notification(driver, passenger, number)}
        for person in (driver, passenger):
            await layer.group_send(f"user_{person.id}", message)

    try:
        yield publish
    finally:
        await layer.close_pools()


@asynccontextmanager
async def _over_socket_io(url: str) -> AsyncIterator[Publisher]:
    manager = socketio.AsyncRedisManager(url, write_only=True)

    async def publish(driver: Person, passenger: Person, number: int) -> None:
        for person in (driver, passenger):
            await manager.emit("match_proposal", notification(driver, passenger, number), room=f"user_{person.id}")

    yield publish
    await manager.redis.aclose()
