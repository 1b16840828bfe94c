"""A town that searches: drivers who all report where they are, and so many new searches a second, on one process.

    python -m bench.finders [--drivers 5000] [--every 4] [--rate 20] [--searches 240]

Starts a server of its own on SQLite in a temporary folder, and lets all drivers connect and turn on their beacons.
What is measured of a search is the time from the passenger's command to the first offer on a driver's phone.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from bench.contenders import OURS, SECRET, Running, embedded
from bench.load import Crowd, Person
from bench.process import cpu_seconds
from bench.report import centile, say
from devservers.client import Client
from devservers.patience import FACTOR, until
from realtime.server.admission import raise_descriptor_limit

SOUTH_WEST = (-6.27, 106.75)
WIDE = 0.15
"""Degrees of the town, about 17 km."""

PASSENGER = re.compile(rb'"passenger_id":"([0-9a-f-]{36})"')
TURN = 0.1
"""Seconds between two turns in which drivers report, each a share of them."""

PATIENCE = 30 * FACTOR
"""Seconds after which a search that has no offer has none."""

AT_ONCE = 20
"""Beacons that are turned on together."""


class Town:
    """Its drivers and passengers, and when each search began and reached a driver."""

    def __init__(self, port: int, drivers: int, searches: int, seed: int) -> None:
        self._url, self._random = f"http://127.0.0.1:{port}", random.Random(seed)  # noqa: S311
        people = [Person(2 * n + 1) for n in range(drivers)]
        self.drivers = Crowd(port, OURS, people, SECRET, hear=self._hear)
        self.passengers = [Person(2 * n + 2) for n in range(searches)]
        self.asked: dict[UUID, float] = {}
        self.offered: dict[UUID, float] = {}
        self.reported = self._answered = 0
        self._positions = [self._frame("location_update") for _ in people]

    async def come(self) -> None:
        """Connect all drivers, and turn on their beacons."""
        begun = time.perf_counter()
        await self.drivers.connect()
        sockets = list(self.drivers.sockets.values())
        for n, (socket, position) in enumerate(zip(sockets, self._positions, strict=True)):
            place = msgspec.json.decode(position)["data"]
            socket.send(position, self._frame("beacon_update", is_active=True, **place))
            await until(lambda n=n: n - self._answered < AT_ONCE)  # type: ignore[misc]
        await until(lambda: self._answered == len(sockets))
        say(f"{len(sockets)} drivers came in {time.perf_counter() - begun:.1f} s")

    async def report(self, every: float) -> None:
        """Let each driver report once in so many seconds, evenly, until cancelled."""
        sockets = list(zip(self.drivers.sockets.values(), self._positions, strict=True))
        share = max(1, round(len(sockets) * TURN / every))
        turns = itertools.cycle(range(0, len(sockets), share))
        begun = time.perf_counter()
        for number in itertools.count(1):
            for socket, position in sockets[(first := next(turns)) : first + share]:
                socket.send(position)
                self.reported += 1
            await asyncio.sleep(max(0.0, begun + number * TURN - time.perf_counter()))

    async def search(self, rate: float) -> None:
        """Begin so many searches a second; return when each has an offer, or has waited too long."""
        clients = [await Client.connect(self._url, one.token(SECRET), compression=None) for one in self.passengers]
        begun = time.perf_counter()
        for n, (person, client) in enumerate(zip(self.passengers, clients, strict=True)):
            await asyncio.sleep(max(0.0, begun + n / rate - time.perf_counter()))
            place = self._place()
            self.asked[person.id] = time.perf_counter()
            await client.say("finder_update", is_active=True, location=place, target_location=place)
        with suppress(TimeoutError):
            await until(lambda: len(self.offered) == len(clients), seconds=PATIENCE)
        for client in clients:
            await client.hang_up()

    def _hear(self, text: bytes) -> bool:
        if found := PASSENGER.search(text):
            self.offered.setdefault(UUID(found[1].decode()), time.perf_counter())
        elif b'"ack"' in text:
            self._answered += 1
        else:
            return False
        return True

    def _place(self) -> dict[str, float]:
        return {
            "latitude": round(SOUTH_WEST[0] + WIDE * self._random.random(), 6),
            "longitude": round(SOUTH_WEST[1] + WIDE * self._random.random(), 6),
        }

    def _frame(self, kind: str, **data: object) -> bytes:
        frame = {"type": kind, "data": data or self._place()}
        return msgspec.json.encode({**frame, "id": str(uuid4())} if data else frame)


async def measure(running: Running, options: argparse.Namespace) -> None:
    """Let the town live, and print what came of it."""
    raise_descriptor_limit()
    pid = running.pids["web"]
    town = Town(running.port, options.drivers, options.searches, options.seed)
    await town.come()
    reporting = asyncio.create_task(town.report(options.every))
    await asyncio.sleep(min(options.every, 5))
    town.reported, cpu, begun = 0, cpu_seconds(pid), time.perf_counter()
    await town.search(options.rate)
    seconds = time.perf_counter() - begun
    busy = (cpu_seconds(pid) - cpu) / seconds
    reporting.cancel()
    waits = [1000 * (town.offered[one] - asked) for one, asked in town.asked.items() if one in town.offered]
    say(f"{town.reported / seconds:.0f} positions a second; server: {busy:.0%} of a core")
    say(f"{len(waits)} of {len(town.asked)} searches reached a driver")
    figures = {"p50": centile(waits, 50), "p99": centile(waits, 99), "most": max(waits)}
    say(f"ms to the first offer: {', '.join(f'{name} {value:.0f}' for name, value in figures.items())}")
    await town.drivers.close()


def main(arguments: Sequence[str]) -> None:
    """Start a server, let the town search, stop the server."""
    parser = argparse.ArgumentParser(prog="python -m bench.finders", description="A town that searches.")
    parser.add_argument("--drivers", type=int, default=5000, help="who are free and report (%(default)s)")
    parser.add_argument("--every", type=float, default=4, help="seconds between two positions of one (%(default)s)")
    parser.add_argument("--rate", type=float, default=20, help="new searches a second (%(default)s)")
    parser.add_argument("--searches", type=int, default=240, help="in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all places (%(default)s)")
    options = parser.parse_args(arguments)
    users = 2 * max(options.drivers, options.searches)
    with (
        tempfile.TemporaryDirectory(prefix="bench-finders-") as folder,
        embedded(Path(folder), users, LOG_LEVEL="WARNING") as running,
    ):
        asyncio.run(measure(running, options))


if __name__ == "__main__":
    main(sys.argv[1:])
