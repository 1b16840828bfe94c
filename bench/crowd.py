"""A crowd on one server process: users who all report their position, many of them on a ride.

    python -m bench.crowd [--users 2000] [--riding 1000] [--every 4] [--seconds 60]

Starts a server of its own on a database in a temporary folder, connects the users, half of them drivers, and lets each
send one `location_update` every so many seconds; those who ride are shown to the other side and booked. A user beside
them sends a `sync` ten times a second: its answer, which has to read the database, says how busy the server is.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from bench.database import use_database
from bench.process import cpu_seconds, memory_mb
from bench.report import centile, say
from devservers.client import Client, Frame
from devservers.web import ServerProcess
from rides.models import Finder, Match, Ride, TrackPoint
from users.models import Role, User
from users.tokens import tokens_issue

AT_ONCE = 50
METRES_A_SECOND = 8.0
PLACE = (-6.1754, 106.8272)


class Member:
    """One of the crowd, who counts what comes instead of keeping it."""

    client: Client

    def __init__(self) -> None:
        self.shown = 0
        self.sent = 0
        self.errors: list[Any] = []
        self.answers: dict[str, float] = {}
        self.place = PLACE
        self.clock = timedelta()

    async def connect(self, url: str, token: str) -> None:
        """Connect."""
        self.client = await Client.connect(url, token, on_frame=self.hear, compression=None)

    def hear(self, frame: Frame) -> None:
        """Count a frame that came."""
        if frame["type"] == "location_update":
            self.shown += 1
        elif frame["type"] == "ack":
            self.answers[frame["id"]] = time.perf_counter()
        elif frame["type"] == "error":
            self.errors.append(frame["data"])
        elif frame["type"] == "session_ready":
            self.clock = datetime.fromisoformat(frame["data"]["server_time"]) - datetime.now(UTC)

    async def drive(self, until: float, every: float) -> None:
        """Report a place that moves north, every so many seconds."""
        await asyncio.sleep(random.uniform(0, every))  # noqa: S311
        while time.monotonic() < until:
            begun = time.monotonic()
            self.place = (self.place[0] + METRES_A_SECOND * every / 111_195, self.place[1])
            now = (datetime.now(UTC) + self.clock).isoformat()
            await self.client.say(
                "location_update", latitude=self.place[0], longitude=self.place[1], timestamp=now, accuracy=5
            )
            self.sent += 1
            await asyncio.sleep(max(0.0, begun + every - time.monotonic()))


def people(count: int, riding: int) -> list[User]:
    """Make the users, drivers first, and put the first pairs of them on a ride."""
    users = [
        User(msisdn=f"+62812{n:08d}", role=Role.DRIVER if n < count // 2 else Role.PASSENGER, password="!")  # noqa: S106
        for n in range(count + 1)
    ]
    User.objects.bulk_create(users, 500)
    now = datetime.now(UTC)
    place = {"latitude": PLACE[0], "longitude": PLACE[1], "target_latitude": -6.2, "target_longitude": 106.83}
    pairs = zip(users[: count // 2], users[count // 2 : -1], strict=True)
    for _, (driver, passenger) in zip(range(riding // 2), pairs, strict=False):
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
        await prober.client.say("sync", command_id)
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    return [prober.answers[command_id] - at for command_id, at in asked.items() if command_id in prober.answers]


async def connect_all(url: str, tokens: list[str]) -> list[Member]:
    """Connect the crowd."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def enter(member: Member, token: str) -> None:
        async with gate:
            await member.connect(url, token)

    begun = time.monotonic()
    members = [Member() for _ in tokens]
    await asyncio.gather(*map(enter, members, tokens))
    say(f"{len(members)} users connected in {time.monotonic() - begun:.1f} s")
    return members


async def crowd(server: ServerProcess, tokens: list[str], riding: int, every: float, seconds: float) -> None:
    """Let the crowd drive for so many seconds, and print what came of it."""
    assert server.process
    pid = server.process.pid
    empty = memory_mb(pid)
    members = await connect_all(server.url, tokens)
    full = memory_mb(pid)
    say(f"memory: {empty:.0f} MB empty, {full:.0f} MB connected ({(full - empty) * 1024 / len(members):.1f} kB each)")
    cpu, begun = cpu_seconds(pid), time.monotonic()
    *reporters, prober = members
    probe = asyncio.create_task(ask(prober, begun + seconds))
    await asyncio.gather(*(member.drive(begun + seconds, every) for member in reporters))
    latencies = [1000 * latency for latency in await probe]
    used = (cpu_seconds(pid) - cpu) / (time.monotonic() - begun)
    pairs, half = riding // 2, len(reporters) // 2
    drivers, passengers = reporters[:pairs], reporters[half : half + pairs]
    parties = [*drivers, *passengers]
    sent = sum(member.sent for member in reporters)
    say(f"{sent} positions sent, {sent / seconds:.0f} a second; server: {used:.0%} of one core")
    say(f"shown to the other side: {sum(m.shown for m in parties)} of {sum(m.sent for m in parties)}")
    say(f"{len(latencies)} syncs answered: p50 {centile(latencies, 50):.1f} ms, p99 {centile(latencies, 99):.1f} ms")
    say(f"memory after: {memory_mb(pid):.0f} MB; errors: {sum(len(member.errors) for member in members)}")
    for member in members:
        await member.client.hang_up()
    await asyncio.sleep(1)
    kept = await asyncio.to_thread(TrackPoint.objects.count) - pairs
    say(f"kept of the drivers' tracks: {kept} of {sum(member.sent for member in drivers)}")


def main(arguments: Sequence[str]) -> None:
    """Start a server, run the crowd, stop the server."""
    parser = argparse.ArgumentParser(prog="python -m bench.crowd", description="A crowd on one server process.")
    parser.add_argument("--users", type=int, default=2000, help="connected users, half of them drivers (%(default)s)")
    parser.add_argument("--riding", type=int, default=1000, help="how many of them are on a ride (%(default)s)")
    parser.add_argument("--every", type=float, default=4, help="seconds between two positions of a user (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="how long (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-crowd-") as folder:
        server = ServerProcess(Path(folder), LOG_LEVEL="WARNING")
        use_database(server.database)
        tokens = [tokens_issue(user)["access"] for user in people(options.users, options.riding)]
        connection.close()
        server.start()
        try:
            asyncio.run(crowd(server, tokens, options.riding, options.every, options.seconds))
        finally:
            server.stop()
            say("".join(server.output[-5:]))


if __name__ == "__main__":
    main(sys.argv[1:])
