"""People who take whole rides while something breaks: a small city, in a process of its own that shares the database.

It checks every promise by itself; here only those about time are left out, which no server can keep while it is half
dead. Offers stay open for longer than a fault lasts, so also of those none may be missing.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from tempfile import TemporaryDirectory

import msgspec
import psycopg

from devservers.patience import FACTOR, until
from devservers.web import ServerProcess
from nebengjek.settings import BASE_DIR
from tests.stress.balancer import Balancer

HURRIED = {"RIDES_MAX_SPEED_KMH": "0", "MATCH_RESPONSE_TIMEOUT": "20s", "SEARCH_FREE_CANCELS": "0"}
"""Settings for people who drive thirty times faster than in life, with offers that outlast every fault.

The same people are there in every fault; who has cancelled often within an hour would have to wait for minutes.
"""

LIMIT = 120 * FACTOR
"""Seconds for all rides."""

EXCUSED = re.compile(r"wait:|late:")
"""What a server that does not work cannot keep: how long an answer takes, and an offer to its phone."""

UNDER_WAY = "SELECT count(*) FROM rides_ride WHERE status = 'ONGOING'"


class Trips(msgspec.Struct):
    """How the rides went; known when the people have gone home."""

    over: int = 0
    broken: list[str] = msgspec.field(default_factory=list)
    """Promises that were not kept."""


@asynccontextmanager
async def riding(webs: Sequence[ServerProcess], rides: int, *, seed: int) -> AsyncIterator[Trips]:
    """Let people take so many rides on these servers; the first one is under way when the block begins.

    At its end all are over.
    """
    outcome = Trips()
    if not rides:
        yield outcome
        return
    ports = [int(web.url.rpartition(":")[2]) for web in webs]
    async with Balancer(ports) as balancer:
        with TemporaryDirectory() as evidence:
            arguments = {
                "rides": rides, "drivers": 4, "passengers": 4, "speed": 30, "seed": seed, "limit": LIMIT,
                "url": f"http://127.0.0.1:{balancer.port}", "evidence": evidence,
            }  # fmt: skip
            command = [sys.executable, "manage.py", "simulate", "--city"]
            command += [f"--{name}={value}" for name, value in arguments.items()]
            city = await asyncio.create_subprocess_exec(
                *command, cwd=BASE_DIR, env=webs[0].env,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            output = asyncio.create_task(city.communicate())
            try:
                await until(lambda: output.done() or _is_under_way(webs[0]), "the first ride has begun")
                yield outcome
                text = (await output)[0].decode()
            finally:
                if not output.done():
                    city.kill()
                    await output
    _judge(outcome, text)


def _is_under_way(web: ServerProcess) -> bool:
    if web.env["DATABASE_URL"].startswith("sqlite"):
        with closing(sqlite3.connect(web.database)) as database:
            return bool(database.execute(UNDER_WAY).fetchone()[0])
    with psycopg.connect(web.env["DATABASE_URL"]) as session:
        return session.execute(UNDER_WAY).fetchone() != (0,)


def _judge(outcome: Trips, text: str) -> None:
    """Read what the city says of itself."""
    counts = re.search(r"^Rides: (.*)\.$", text, re.MULTILINE)
    assert counts is not None, text
    outcome.over = sum(map(int, re.findall(r"\d+", counts[1])))
    outcome.broken = [line for line in re.findall(r"VIOLATION: (.*)", text) if not EXCUSED.match(line)]
    if stopped := re.search(r"Not all rides were taken: .*", text):
        outcome.broken.append(stopped[0])
