"""How long a search for drivers takes, among few and many: which of them are nearest, and who of them gets an offer.

    python -m bench.nearest [--drivers 1000 10000 100000] [--searches 30]

The drivers are spread evenly over 33 km by 33 km, all available. Printed is the processor time of this process for one
search, the median; on Redis the server's own time comes on top and is printed beside.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.utils import timezone

from bench.database import use_database
from bench.process import cpu_seconds
from bench.report import say
from common.process import process
from common.redis import sync_redis
from devservers.servers import ValkeyServer
from rides.geo import GeoPoint
from rides.matching import consider
from rides.models import Beacon, Finder
from rides.positions import positions
from rides.positions.base import reported_at
from users.models import Driver, Role, User
from users.presence import Presence, presence

OFFERS = 5
SPREAD = 0.15
"""Degrees to each side."""


def near(chance: random.Random, spread: float) -> GeoPoint:
    """Return a place around the middle of Jakarta."""
    return GeoPoint(-6.2 + chance.uniform(-spread, spread), 106.8 + chance.uniform(-spread, spread))


def make_drivers(first: int, last: int) -> list[User]:
    """Make drivers of these numbers, the last one left out, whose beacon is on."""
    users = [User(msisdn=f"+62811{n:09d}", role=Role.DRIVER) for n in range(first, last)]
    now = timezone.now()
    User.objects.bulk_create(users, 1000)
    Driver.objects.bulk_create(
        [Driver(user=user, vehicle_type="motorcycle", vehicle_plate="B 1 X") for user in users], 1000
    )
    Beacon.objects.bulk_create([Beacon(driver=user, is_active=True, changed_at=now) for user in users], 1000)
    return users


def report_all(drivers: Sequence[User]) -> None:
    """Let all drivers be connected and seen."""
    chance, now = random.Random(1), time.time()  # noqa: S311
    for user in drivers:
        positions().report(user.pk, reported_at(near(chance, SPREAD), now), now, driver=True)
    positions().flush()
    presence().note(
        [
            Presence(connection_id=uuid4(), user_id=user.pk, role=user.role, session=n)
            for n, user in enumerate(drivers, 1)
        ]
    )


def search(passenger: User, searches: int) -> float:
    """Return the seconds of processor time that a search takes, the median."""
    chance, times = random.Random(2), []  # noqa: S311
    now = timezone.now()
    for _ in range(searches):
        place = near(chance, SPREAD * 2 / 3)
        finder = Finder(
            passenger=passenger, latitude=place.latitude, longitude=place.longitude, target_latitude=place.latitude,
            target_longitude=place.longitude, attempts=1, attempt_ends_at=now, due_at=now, created_at=now,
        )  # fmt: skip
        begun = time.process_time()
        offered = sum(decision.is_offered for decision in consider(finder, [], OFFERS))
        times.append(time.process_time() - begun)
        assert offered <= OFFERS
    return statistics.median(times)


def measure(counts: Sequence[int], searches: int) -> dict[str, float]:
    """Return the milliseconds of one search by store and number of drivers."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-nearest-") as folder:
        use_database(Path(folder) / "bench.sqlite3")
        passenger = User.objects.create(msisdn="+6282200000001", role=Role.PASSENGER)
        drivers: list[User] = []
        for count in counts:
            drivers += make_drivers(len(drivers), count)
            report_all(drivers)
            found[f"in memory, {count:,}"] = search(passenger, searches) * 1000
            process.reset()
            found |= _on_redis(Path(folder) / str(count), passenger, drivers, searches)
        connection.close()
    return found


def _on_redis(folder: Path, passenger: User, drivers: Sequence[User], searches: int) -> dict[str, float]:
    with ValkeyServer(folder, appendonly=False) as valkey:
        settings.REDIS_URL, before = valkey.url, settings.BACKENDS
        settings.BACKENDS = settings.DISTRIBUTED_BACKENDS
        sync_redis.cache_clear()
        process.reset()
        report_all(drivers)
        used = cpu_seconds(valkey.pid)
        seconds = search(passenger, searches)
        server = (cpu_seconds(valkey.pid) - used) / searches
        settings.BACKENDS = before
        process.reset()
    count = len(drivers)
    return {f"on Redis, {count:,}": seconds * 1000, f"Redis itself, {count:,}": server * 1000}


def main(arguments: Sequence[str]) -> None:
    """Measure among growing numbers of drivers."""
    parser = argparse.ArgumentParser(prog="python -m bench.nearest", description="Searches among many drivers.")
    parser.add_argument("--drivers", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="%(default)s")
    parser.add_argument("--searches", type=int, default=30, help="of which the median is printed (%(default)s)")
    options = parser.parse_args(arguments)
    for what, milliseconds in measure(sorted(options.drivers), options.searches).items():
        say(f"{what} drivers: {milliseconds:.2f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
