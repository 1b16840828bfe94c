"""Somebody leaves: what names them is nowhere any more, on one process and on many, while the books add up."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import nats
import psycopg
import pytest
import redis

from devservers.topology import Topology
from devservers.web import ServerProcess
from events.stream import STREAM
from tests.e2e.client import PLACE, Client, ride_to_pickup
from tests.e2e.conftest import StartServer
from tests.patience import TIMEOUT

pytestmark = pytest.mark.e2e

DRIVER, NUMBER, NAME = "+6281200000001", "+6281277665544", "Zebedeus Xylophon"
HOME = {"latitude": -6.175412, "longitude": 106.827234}
TARGET = {"latitude": -6.2, "longitude": 106.83}
TOKEN = "https://fcm.example/send/zxcvbnm"
TRACES = (NAME, "Xylophon", NUMBER[1:], NUMBER[3:], "6.175412", "106.827234", TOKEN)
"""What leads to the person: name, number however written, exact places, the device."""


class World:
    """A running system, and everything that it keeps."""

    def __init__(self, web: ServerProcess, topology: Topology | None = None) -> None:
        self.web = web
        self._topology = topology

    def rows(self) -> Iterator[str]:
        """Yield all rows of all tables, as text."""
        if self._topology is None:
            with closing(sqlite3.connect(self.web.database)) as database:
                names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                for name in names:
                    yield from (f"{name}: {_text(row)}" for row in database.execute(f'SELECT * FROM "{name}"'))
            return
        with psycopg.connect(self._topology.postgres.url) as session:
            tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            for (name,) in session.execute(tables).fetchall():
                yield from (f"{name}: {_text(row)}" for row in session.execute(f'SELECT * FROM "{name}"'))

    def keys(self) -> Iterator[str]:
        """Yield all keys of Valkey with their values."""
        if self._topology is None:
            return
        client = redis.Redis.from_url(self._topology.valkey.url)
        readers: dict[bytes, Any] = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"set": client.smembers,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        }
        for key in client.scan_iter(count=1000):
            kind: Any = client.type(key)
            yield f"{key!r}: {readers[kind](key)!r}"
        client.close()

    async def messages(self) -> list[str]:
        """Return all messages of the stream."""
        if self._topology is None:
            return []
        client = await nats.connect(self._topology.nats.url)
        state = (await client.jetstream().stream_info(STREAM)).state
        found = []
        for number in range(state.first_seq, state.last_seq + 1):
            try:
                message = await client.jetstream().get_msg(STREAM, number)
            except nats.js.errors.NotFoundError:
                continue
            found.append(f"{message.subject}: {(message.data or b'').decode()} {message.headers}")
        await client.close()
        return found

    def lines(self) -> list[str]:
        """Return what all processes have logged; the text messages of the console are for the test's phones."""
        said = self._topology.output() if self._topology else "".join(self.web.output)
        return [line for line in said.splitlines() if not line.startswith("SMS to ")]


def _text(row: tuple[Any, ...]) -> str:
    parts = (bytes(one) if isinstance(one, bytes | memoryview) else str(one).encode() for one in row)
    return b" ".join(parts).decode(errors="replace")


@pytest.fixture(params=["one process", "many"])
def world(request: pytest.FixtureRequest, start_server: StartServer, tmp_path: Path) -> Iterator[World]:
    """SQLite and memory, or PostgreSQL, Valkey and NATS."""
    if request.param == "one process":
        yield World(start_server())
        return
    template: Path = request.getfixturevalue("template_cluster")
    with Topology(tmp_path / "many", webs=1, bridges=1).with_data_of(template) as topology:
        yield World(topology.webs[0], topology)


async def traces(world: World) -> list[str]:
    """Return where the person can still be found."""
    places = [*world.rows(), *world.keys(), *await world.messages(), *world.lines()]
    return [place for place in places if any(trace in place for trace in TRACES)]


async def live(world: World) -> tuple[str, str]:
    """Let the person take and pay a ride, rate, search in vain, and have a device; return both tokens."""
    web = world.web
    token = web.log_in(NUMBER)
    driver_token = web.log_in(DRIVER, driver=True)
    driver = await Client.connect(web.url, driver_token)
    with httpx.Client(base_url=web.url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT) as rest:
        assert rest.patch("/api/me/", json={"full_name": NAME}).status_code == 200
        device = {"kind": "fcm", "token": TOKEN, "keys": {}}
        assert rest.post("/api/me/devices/", json=device).status_code == 201
        assert rest.post("/api/quotes/", json={"location": HOME, "target_location": TARGET}).status_code == 201
    passenger = await Client.connect(web.url, token)
    await passenger.do("location_update", **HOME)
    ride_id = await ride_to_pickup(driver, passenger, HOME)
    assert (await driver.do("ride_start", ride_id=ride_id))["type"] == "ack"
    await driver.do("location_update", **PLACE)
    assert (await driver.do("ride_arrived", ride_id=ride_id))["type"] == "ack"
    bill = await passenger.data_of("payment_process")
    paying = {"ride_id": ride_id, "total_cost": bill["total_cost"], "status": "ACCEPTED"}
    assert (await passenger.do("payment_process", **paying))["type"] == "ack"
    await passenger.data_of("ride_completed")
    await driver.data_of("ride_completed")
    assert (await passenger.do("ride_rate", ride_id=ride_id, rating=5))["type"] == "ack"
    assert (await driver.do("beacon_update", is_active=False))["type"] == "ack"
    await passenger.do("finder_update", is_active=True, location=HOME, target_location=TARGET)
    await passenger.do("finder_update", is_active=False)
    await passenger.hang_up()
    await driver.hang_up()
    return token, driver_token


async def test_nothing_is_left_of_somebody_who_leaves(world: World) -> None:
    """Not in the database, Valkey, the stream or the logs; the driver keeps the ride, and `audit` agrees."""
    token, driver_token = await live(world)
    found = await traces(world)
    kinds = {place.partition(":")[0] for place in found}
    assert {
        "users_user",
        "rides_match",
        "rides_finder",
        "rides_device",
        "events_outboxevent",
    } <= kinds
    with httpx.Client(base_url=world.web.url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT) as rest:
        user_id = UUID(rest.get("/api/me/").json()["id"])
        assert rest.delete("/api/me/").status_code == 204
        assert rest.get("/api/me/").status_code == 401
    deadline = time.monotonic() + TIMEOUT
    while True:  # what was on its way is delivered first
        done = world.web.manage("erase_user", str(user_id), "--yes")
        assert done.returncode == 0, done.stderr
        found = await traces(world)
        if not found or time.monotonic() > deadline:
            break
    assert found == []
    audit = world.web.manage("audit")
    assert audit.returncode == 0, audit.stdout
    rides = world.web.get("/api/rides/", driver_token).json()["results"]
    assert [ride["status"] for ride in rides] == ["COMPLETED"]
    profile = world.web.get("/api/me/", world.web.log_in(NUMBER)).json()
    assert (profile["id"] == str(user_id), profile["full_name"]) == (False, "")  # the number is free
