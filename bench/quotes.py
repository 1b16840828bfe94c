"""How long a quote takes: `POST /api/quotes/` without a routing engine, while commands write beside it.

    python -m bench.quotes [--quotes 500] [--rate 20] [--tariffs 20] [--writers 4] [--askers 4]

Starts a server of its own on a database in a temporary folder. Quotes are asked for at a steady rate over a few HTTP
connections, with so many versions of tariffs in the database; so many drivers switch their beacons, as often in all.
Printed is how long the answers took, the client's part included, and how many quotes the database has.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import httpx
from django.db import connection
from django.utils import timezone

from bench.database import count_rows, make_people, use_database
from bench.report import centile, say
from bench.writers import over_socket
from devservers.patience import TIMEOUT
from devservers.web import ServerProcess
from rides.models import Tariff

WARM_UP = 10
"""Quotes of each asker that are not counted."""


def make_tariffs(count: int) -> None:
    """Make versions of tariffs, each for an area of its own."""
    now = timezone.now() - timedelta(days=1)
    Tariff.objects.bulk_create(
        Tariff(name=f"area-{n}", valid_from=now, created_at=now, per_km=2600, weekdays="1234567",
               south=-6.4 + n / 1000, north=-6.0 + n / 1000, west=106.6, east=107.0)
        for n in range(count)
    )  # fmt: skip


async def ask(url: str, token: str, count: int, pause: float) -> list[float]:
    """Ask for so many quotes and return the seconds that each answer took."""
    rng, seconds = random.Random(token), []  # noqa: S311
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT) as client:
        begun = time.monotonic() + rng.uniform(0, pause)
        for number in range(WARM_UP + count):
            await asyncio.sleep(max(0.0, begun + number * pause - time.monotonic()))
            wish = {
                end: {"latitude": rng.uniform(-6.3, -6.1), "longitude": rng.uniform(106.7, 106.9)}
                for end in ("location", "target_location")
            }
            asked_at = time.perf_counter()
            answer = await client.post("/api/quotes/", json=wish)
            seconds.append(time.perf_counter() - asked_at)
            assert answer.status_code == 201, answer.text
    return seconds[WARM_UP:]


async def measure(server: ServerProcess, tokens: list[str], options: argparse.Namespace) -> list[float]:
    """Return the seconds of each answer, while others write at the same rate."""
    passengers, drivers = tokens[1::2], tokens[::2]
    each = max(1, options.quotes // options.askers)
    pause = options.askers / options.rate if options.rate else 0.0
    asking = [ask(server.url, token, each, pause) for token in passengers[: options.askers]]
    writing = [over_socket(server.url, token, each, pause) for token in drivers[: options.writers]]
    answers = await asyncio.gather(*asking, *writing)
    return [second for part in answers[: options.askers] for second in part]


def main(arguments: Sequence[str]) -> None:
    """Start a server, ask, and print how it went."""
    parser = argparse.ArgumentParser(prog="python -m bench.quotes", description="How long a quote takes.")
    parser.add_argument("--quotes", type=int, default=500, help="how many (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=20, help="quotes a second, in all; 0: without a pause (%(default)s)"
    )
    parser.add_argument("--tariffs", type=int, default=20, help="versions of tariffs (%(default)s)")
    parser.add_argument("--writers", type=int, default=4, help="drivers who write meanwhile (%(default)s)")
    parser.add_argument("--askers", type=int, default=4, help="connections (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-quotes-") as folder:
        server = ServerProcess(Path(folder), LOG_LEVEL="WARNING", API_THROTTLE="0")
        use_database(server.database)
        tokens = make_people(2 * max(options.askers, options.writers))
        make_tariffs(options.tariffs)
        connection.close()
        server.start()
        try:
            seconds = asyncio.run(measure(server, tokens, options))
        finally:
            server.stop()
        rows = count_rows(server.database)
    times = [1000 * one for one in seconds]
    spread = f"p50 {centile(times, 50):.1f} ms, p99 {centile(times, 99):.1f} ms, at most {max(times):.1f} ms"
    say(f"{len(times)} quotes at {options.rate:g} a second: {spread}; {rows['rides_quote']} kept")


if __name__ == "__main__":
    main(sys.argv[1:])
