"""A crowd on one server process: users who all report their position, many of them on a ride.

    python -m bench.crowd [--users 2000] [--riding 1000] [--every 4] [--seconds 60]

Starts a server of its own on a database in a temporary folder, connects the users, half of them drivers, and lets each
send one `location_update` every so many seconds; those who ride are shown to the other side and booked. A user beside
them sends a `sync` ten times a second: its answer, which has to read the database, says how busy the server is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PARSER = argparse.ArgumentParser(description="A crowd on one server process.")
PARSER.add_argument("--users", type=int, default=2000, help="connected users, half of them drivers (%(default)s)")
PARSER.add_argument("--riding", type=int, default=1000, help="how many of them are on a ride (%(default)s)")
PARSER.add_argument("--every", type=float, default=4, help="seconds between two positions of a user (%(default)s)")
PARSER.add_argument("--seconds", type=float, default=60, help="how long (%(default)s)")
OPTIONS = PARSER.parse_args()
FOLDER = tempfile.TemporaryDirectory(prefix="bench-crowd-")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
os.environ["DATABASE_URL"] = f"sqlite:///{FOLDER.name}/e2e.sqlite3"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from websockets.asyncio.client import ClientConnection, connect  # noqa: E402

from bench.process import cpu_seconds, memory_mb  # noqa: E402
from devservers.web import ServerProcess  # noqa: E402
from rides.models import Finder, Match, Ride, TrackPoint  # noqa: E402
from users.models import Role, User  # noqa: E402
from users.tokens import tokens_issue  # noqa: E402

AT_ONCE = 50
METRES_A_SECOND = 8.0
PLACE = (-6.1754, 106.8272)


class Member:
    """One of the crowd."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.shown = 0
        self.sent = 0
        self.errors: list[Any] = []
        self.answers: dict[str, float] = {}
        self.socket: ClientConnection | None = None
        self.place = PLACE
        self.clock = timedelta()

    async def open(self, url: str) -> None:
        """Connect."""
        headers = {"Authorization": f"Bearer {self.token}"}
        self.socket = await connect(url, additional_headers=headers, compression=None)
        ready = json.loads(await self.socket.recv())
        self.clock = datetime.fromisoformat(ready["data"]["server_time"]) - datetime.now(UTC)

    async def listen(self) -> None:
        """Count what comes."""
        assert self.socket
        async for text in self.socket:
            frame = json.loads(text)
            if frame["type"] == "location_update":
                self.shown += 1
            elif frame["type"] == "ack":
                self.answers[frame["id"]] = time.perf_counter()
            elif frame["type"] == "error":
                self.errors.append(frame["data"])

    async def say(self, kind: str, command_id: str | None = None, **data: Any) -> None:
        """Send a frame."""
        assert self.socket
        frame = {"type": kind, "data": data} | ({"id": command_id} if command_id else {})
        await self.socket.send(json.dumps(frame))

    async def drive(self, until: float, every: float) -> None:
        """Report a place that moves north, every so many seconds."""
        await asyncio.sleep(random.uniform(0, every))  # noqa: S311
        while time.monotonic() < until:
            begun = time.monotonic()
            self.place = (self.place[0] + METRES_A_SECOND * every / 111_195, self.place[1])
            now = (datetime.now(UTC) + self.clock).isoformat()
            await self.say(
                "location_update", latitude=self.place[0], longitude=self.place[1], timestamp=now, accuracy=5
            )
            self.sent += 1
            await asyncio.sleep(max(0.0, begun + every - time.monotonic()))


def people() -> list[User]:
    """Make the users, drivers first, and put the first pairs of them on a ride."""
    users = [
        User(msisdn=f"+62812{n:08d}", role=Role.DRIVER if n < OPTIONS.users // 2 else Role.PASSENGER, password="!")  # noqa: S106
        for n in range(OPTIONS.users + 1)
    ]
    User.objects.bulk_create(users, 500)
    now = datetime.now(UTC)
    place = {"latitude": PLACE[0], "longitude": PLACE[1], "target_latitude": -6.2, "target_longitude": 106.83}
    pairs = zip(users[: OPTIONS.users // 2], users[OPTIONS.users // 2 : -1], strict=True)
    for _, (driver, passenger) in zip(range(OPTIONS.riding // 2), pairs, strict=False):
        times = {"created_at": now, "attempt_ends_at": now, "due_at": now}
        finder = Finder.objects.create(passenger=passenger, status="MATCHED", ended_at=now, **place, **times)
        match = Match.objects.create(
            finder=finder, driver=driver, passenger=passenger, status="ACCEPTED", driver_latitude=PLACE[0],
            driver_longitude=PLACE[1], distance_km=0, expires_at=now, created_at=now, **place,
        )  # fmt: skip
        ride = Ride.objects.create(
            match=match, driver=driver, passenger=passenger, status="ONGOING", rate_per_km=3000, unit_km=1,
            created_at=now, started_at=now,
        )  # fmt: skip
        TrackPoint.objects.create(ride=ride, latitude=PLACE[0], longitude=PLACE[1], timestamp=now, accepted=True)
    return users


async def ask(prober: Member, until: float) -> list[float]:
    """Return the seconds from a `sync` to its answer, ten times a second."""
    asked: dict[str, float] = {}
    while time.monotonic() < until:
        command_id = str(len(asked))
        asked[command_id] = time.perf_counter()
        await prober.say("sync", command_id)
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    return [prober.answers[command_id] - at for command_id, at in asked.items() if command_id in prober.answers]


async def crowd(server: ServerProcess, tokens: list[str]) -> None:
    """Run it and print what came of it."""
    assert server.process
    pid = server.process.pid
    empty = memory_mb(pid)
    members = [Member(token) for token in tokens]
    gate = asyncio.Semaphore(AT_ONCE)

    async def enter(member: Member) -> None:
        async with gate:
            await member.open(server.url.replace("http", "ws", 1) + "/ws/")

    begun = time.monotonic()
    await asyncio.gather(*(enter(member) for member in members))
    show(f"{len(members)} users connected in {time.monotonic() - begun:.1f} s")
    listeners = [asyncio.create_task(member.listen()) for member in members]
    full = memory_mb(pid)
    show(f"memory: {empty:.0f} MB empty, {full:.0f} MB connected ({(full - empty) * 1024 / len(members):.1f} kB each)")
    cpu, begun, until = cpu_seconds(pid), time.monotonic(), time.monotonic() + OPTIONS.seconds
    *reporters, prober = members
    probe = asyncio.create_task(ask(prober, until))
    await asyncio.gather(*(member.drive(until, OPTIONS.every) for member in reporters))
    latencies = await probe
    used = (cpu_seconds(pid) - cpu) / (time.monotonic() - begun)
    riding = OPTIONS.riding // 2
    half = OPTIONS.users // 2
    parties = [*reporters[:riding], *reporters[half : half + riding]]
    sent = sum(member.sent for member in reporters)
    show(f"{sent} positions sent, {sent / OPTIONS.seconds:.0f} a second; server: {used:.0%} of one core")
    show(f"shown to the other side: {sum(m.shown for m in parties)} of {sum(m.sent for m in parties)}")
    p50, p99 = statistics.median(latencies), statistics.quantiles(latencies, n=100)[98]
    show(f"{len(latencies)} syncs answered: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")
    show(f"memory after: {memory_mb(pid):.0f} MB; errors: {sum(len(member.errors) for member in members)}")
    for member in members:
        assert member.socket
        await member.socket.close()
    await asyncio.gather(*listeners, return_exceptions=True)
    drivers_sent = sum(member.sent for member in reporters[:riding])
    await asyncio.sleep(1)
    kept = await asyncio.to_thread(TrackPoint.objects.count) - riding
    show(f"kept of the drivers' tracks: {kept} of {drivers_sent}")


def show(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Start a server, run the crowd, stop the server."""
    call_command("migrate", verbosity=0)
    tokens = [tokens_issue(user)["access"] for user in people()]
    connection.close()
    server = ServerProcess(Path(FOLDER.name), LOG_LEVEL="WARNING").start()
    try:
        asyncio.run(crowd(server, tokens))
    finally:
        server.stop()
        show("".join(server.output[-5:]))


if __name__ == "__main__":
    main()
