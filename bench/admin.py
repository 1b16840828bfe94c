"""The admin at size: how long its pages take with 100,000 rides and 1,000,000 points, and how many queries.

    python -m bench.admin [--rides 100000] [--points 10] [--long 10000] [--keep FOLDER] [--slow]

Everything happens in a database of its own, in a temporary folder or in the one to keep, where it is used again. Each
page is opened three times; printed is the slowest of the last two, in milliseconds, rendering included.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment

from bench.database import use_database
from bench.report import say
from events.models import OutboxEvent
from rides.models import Beacon, Candidate, Finder, LedgerEntry, Match, Payment, Ride, TrackPoint
from users.models import Role, User

DRIVER_RIDES, PASSENGER_RIDES = 50, 20
"""Rides of each person."""

BATCH = 5000
NOW = datetime.now(UTC)
SPAN = timedelta(days=90)
SUBJECTS = ("match.found", "match.accepted", "ride.pickup", "ride.started", "ride.arrived", "ride.completed")


def save(rows: Iterator[Model]) -> None:
    """Write rows of one kind, a batch at a time."""
    while batch := list(islice(rows, BATCH)):
        type(batch[0])._default_manager.bulk_create(batch)


def people(rides: int) -> tuple[list[User], list[User]]:
    """Make drivers and passengers for so many rides."""
    password = make_password(None)
    drivers = [
        User(msisdn=f"+62812{n:08d}", full_name=f"Driver {n}", role=Role.DRIVER, password=password)
        for n in range(rides // DRIVER_RIDES + 1)
    ]
    passengers = [
        User(msisdn=f"+62813{n:08d}", full_name=f"Passenger {n}", password=password)
        for n in range(rides // PASSENGER_RIDES + 1)
    ]
    save(iter([*drivers, *passengers]))
    save(Beacon(driver=driver, is_active=True, changed_at=NOW) for driver in drivers)
    return drivers, passengers


def fill(rides: int, points: int) -> None:
    """Make so many completed rides with all that belongs to them."""
    rng = random.Random(1)  # noqa: S311
    drivers, passengers = people(rides)
    times = sorted(NOW - SPAN * rng.random() for _ in range(rides))
    place = {"latitude": -6.1754, "longitude": 106.8272, "target_latitude": -6.2, "target_longitude": 106.83}
    finders = [
        Finder(passenger=rng.choice(passengers), status="MATCHED", attempts=1, attempt_ends_at=at, due_at=at,
               created_at=at, ended_at=at, **place)
        for at in times
    ]  # fmt: skip
    save(iter(finders))
    matches = [
        Match(finder=finder, driver=rng.choice(drivers), passenger=finder.passenger, status="ACCEPTED",
              driver_latitude=-6.17, driver_longitude=106.82, distance_km=1, expires_at=finder.created_at,
              created_at=finder.created_at, decided_at=finder.created_at, **place)
        for finder in finders
    ]  # fmt: skip
    save(iter(matches))
    save(
        Candidate(finder=match.finder, driver=match.driver, attempt=1, distance_km=1, position_age_s=1,
                  outcome="asked", considered_at=match.created_at)
        for match in matches
    )  # fmt: skip
    booked = [
        Ride(match=match, driver=match.driver, passenger=match.passenger, status="COMPLETED", rate_per_km=3000,
             unit_km=Decimal(1), tracked_km=2, distance_km=Decimal(2), total_cost=6000, adjusted_cost=6000,
             created_at=match.created_at, started_at=match.created_at + timedelta(minutes=3),
             arrived_at=match.created_at + timedelta(minutes=9), completed_at=match.created_at + timedelta(minutes=10))
        for match in matches
    ]  # fmt: skip
    save(iter(booked))
    save(
        Payment(ride=ride, status="ACCEPTED", total_cost=6000, admin_fee=300, driver_payout=5700,
                qr_code_url="https://pay.example.com/1", created_at=ride.created_at, processed_at=ride.completed_at)
        for ride in booked
    )  # fmt: skip
    save(
        LedgerEntry(ride=ride, distance_km=Decimal(1), cost=3000, created_at=ride.started_at + timedelta(minutes=m))
        for ride in booked
        for m in (3, 6)
        if ride.started_at
    )
    save(
        TrackPoint(ride=ride, latitude=-6.1754 + n / 1000, longitude=106.8272, accepted=True,
                   timestamp=ride.started_at + timedelta(seconds=30 * n))
        for ride in booked
        for n in range(points)
        if ride.started_at
    )  # fmt: skip
    save(
        OutboxEvent(key=str(ride.match_id if subject.startswith("match") else ride.pk), type=subject, subject=subject,
                    data={}, audience={}, created_at=ride.created_at, published_at=ride.created_at)
        for ride in booked
        for subject in SUBJECTS
    )  # fmt: skip


def long_ride(points: int) -> Ride:
    """Return a ride with so many points, one a second."""
    ride = Ride.objects.order_by("created_at")[0]
    if ride.track.count() < points:
        ride.track.all().delete()
        save(
            TrackPoint(ride=ride, latitude=-6.1754 + n / 100_000, longitude=106.8272, accepted=n % 50 > 0,
                       timestamp=ride.created_at + timedelta(seconds=n), reason="" if n % 50 else "inaccurate")
            for n in range(points)
        )  # fmt: skip
    return ride


def pages(longest: Ride) -> Iterator[str]:
    """Yield the address of every list, of some with a search or a filter, and of a page of each kind."""
    yield "/admin/"
    yield "/admin/realtime/liveconnection/"
    for path, model in (
        ("rides/payment", Payment), ("rides/candidate", Candidate), ("rides/ride", Ride), ("rides/match", Match),
        ("rides/finder", Finder), ("rides/beacon", Beacon),
        ("users/user", User), ("events/outboxevent", OutboxEvent),
    ):  # fmt: skip
        yield f"/admin/{path}/"
        yield f"/admin/{path}/{model._default_manager.order_by('-pk')[0].pk}/change/"
        yield f"/admin/{path}/?p=3"
    yield f"/admin/rides/ride/{longest.pk}/change/"
    yield f"/admin/rides/trackpoint/?ride__id__exact={longest.pk}"
    ride = Ride.objects.order_by("pk").reverse()[0]
    for path, query in (
        ("rides/ride", f"q={ride.pk}"), ("rides/ride", f"q={ride.driver.msisdn}"), ("rides/ride", "q=Driver+17"),
        ("rides/ride", "status__exact=COMPLETED"), ("rides/ride", "q=nobody"), ("rides/match", "q=Driver+17"),
        ("rides/finder", "q=Passenger+17"), ("events/outboxevent", f"q={ride.pk}"), ("users/user", "q=0017"),
        ("rides/ride", f"created_at__gte={(NOW - timedelta(days=7)).date()}+00:00:00Z"), ("rides/ride", "o=6"),
        ("rides/ride", "cancelled_by=staff"), ("rides/ride", f"created_at__year={NOW.year}"),
        ("rides/payment", "q=Driver+17"), ("rides/payment", "status__exact=PENDING"),
        ("rides/candidate", "q=Driver+17"), ("rides/candidate", "outcome=beacon_off"),
    ):  # fmt: skip
        yield f"/admin/{path}/?{query}"


def measure(client: Client, path: str, slowest: float) -> tuple[float, int]:
    """Return the seconds and the queries of a page; print the queries that take longer than `slowest` seconds."""
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        answer = client.get(path)
        seconds.append(time.perf_counter() - begun)
        assert answer.status_code == 200, (path, answer.status_code)
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    for query in queries.captured_queries:
        if float(query["time"]) > slowest:
            say(f"    {query['time']} {query['sql'][:600]}")
    return max(seconds[1:]), len(queries)


def main(arguments: Sequence[str]) -> None:
    """Fill the database and print a line for each page."""
    parser = argparse.ArgumentParser(prog="python -m bench.admin", description="The admin at size.")
    parser.add_argument("--rides", type=int, default=100_000, help="how many (default: %(default)s)")
    parser.add_argument("--points", type=int, default=10, help="of each ride (default: %(default)s)")
    parser.add_argument("--long", type=int, default=10_000, help="points of the longest ride (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="a folder for the database; what is there is used again")
    parser.add_argument("--slow", action="store_true", help="show the queries of over 20 ms")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-admin-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        use_database(folder.resolve() / "bench.sqlite3")
        run(options.rides, options.points, options.long, 0.02 if options.slow else math.inf)


def run(rides: int, points: int, long: int, slowest: float) -> None:
    """Fill the database and print a line for each page."""
    setup_test_environment()
    begun = time.perf_counter()
    if not Ride.objects.exists():
        with transaction.atomic():
            fill(rides, points)
    kinds = (Ride, TrackPoint, OutboxEvent)
    counts = ", ".join(f"{kind._default_manager.count():,} {kind._meta.verbose_name_plural}" for kind in kinds)
    say(f"{counts}, made in {time.perf_counter() - begun:.0f} s")
    staff, _ = User.objects.get_or_create(msisdn="+6281100000000", defaults={"is_staff": True, "is_superuser": True})
    client = Client()
    client.force_login(staff)
    for path in pages(long_ride(long)):
        seconds, queries = measure(client, path, slowest)
        say(f"{seconds * 1000:7.0f} ms {queries:4} queries  {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
