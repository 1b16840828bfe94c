"""What the commands of a ride cost with few and with many rides in the database.

    python -m bench.books [--rides 10 1000000] [--people 20000] [--tries 30]

One ride is taken, then its rows are copied, by SQL, until there are that many, each of other people and a second older.
Printed is the processor time and the time of each command, in this process, on SQLite; the medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from django.db.models import Model

from bench.database import use_database
from bench.nearest import make_drivers
from bench.report import say
from realtime.commands.dispatch import execute
from realtime.commands.routes import ROUTES
from realtime.contract.frames import decode_frame
from realtime.socket.session_ready import read_state
from rides.geo import GeoPoint
from rides.models import Finder, Match, Payment, Ride, TrackPoint
from rides.positions import positions
from rides.positions.base import reported_at
from users.models import Role, User
from users.presence import Presence, presence
from users.tokens import Claims

PLACE = {"latitude": -6.2, "longitude": 106.8}
COPIED: dict[type[Model], dict[str, str]] = {
    Finder: {"id": "printf('f%031x', n)", "passenger_id": "{passenger}"},
    Match: {
        "id": "printf('a%031x', n)",
        "finder_id": "printf('f%031x', n)",
        "driver_id": "{driver}",
        "passenger_id": "{passenger}",
    },
    Ride: {
        "id": "printf('b%031x', n)",
        "match_id": "printf('a%031x', n)",
        "driver_id": "{driver}",
        "passenger_id": "{passenger}",
    },
    Payment: {"id": "printf('c%031x', n)", "ride_id": "printf('b%031x', n)"},
    TrackPoint: {"id": "NULL", "ride_id": "printf('b%031x', n)"},
}
"""Of each table: what is different in a copy of number `n`."""

Times = dict[str, list[tuple[float, float]]]


class Pair:
    """A driver and a passenger who ride again and again."""

    def __init__(self, driver: User, passenger: User) -> None:
        self._people = {
            user.role: Claims(user_id=user.pk, role=user.role, exp=time.time() + 36_000) for user in (driver, passenger)
        }
        self._session = 0

    def ride(self, times: Times) -> None:
        """Take one ride; add processor time and time of each command, in milliseconds."""
        self._report()
        driver, passenger = self._people[Role.DRIVER], self._people[Role.PASSENGER]
        trip = {"is_active": True, "location": PLACE, "target_location": PLACE}
        self._send(times, passenger, "finder_update", trip)
        match = Match.objects.get(passenger=passenger.user_id, status="PENDING")
        answer = {"match_id": str(match.pk), "accepted": True}
        self._send(times, driver, "match_confirm", answer)
        self._send(times, passenger, "match_confirm", answer)
        ride = Ride.objects.get(match=match)
        self._send(times, driver, "ride_start", {"ride_id": str(ride.pk)})
        self._send(times, driver, "ride_arrived", {"ride_id": str(ride.pk)})
        ride.refresh_from_db()
        pay = {"ride_id": str(ride.pk), "total_cost": ride.adjusted_cost, "status": "ACCEPTED"}
        self._send(times, passenger, "payment_process", pay)
        _timed(times, "the state of a connect", lambda: read_state(passenger))

    def _report(self) -> None:
        self._session += 1
        now = time.time()
        for claims in self._people.values():
            where = reported_at(GeoPoint(**PLACE), now)
            positions().report(claims.user_id, where, now, driver=claims.role == Role.DRIVER)
            made = Presence(connection_id=uuid4(), user_id=claims.user_id, role=claims.role, session=self._session)
            presence().note([made])

    @staticmethod
    def _send(times: Times, claims: Claims, kind: str, data: dict[str, object]) -> None:
        frame = decode_frame(json.dumps({"type": kind, "data": data, "id": uuid4().hex}))
        answer = _timed(times, kind, lambda: execute(claims, ROUTES[kind], frame))
        assert answer["type"] == "ack", answer


def _timed(times: Times, name: str, work: Callable[[], object]) -> dict[str, object]:
    begun, used = time.perf_counter(), time.thread_time()
    found = work()
    times[name].append(((time.thread_time() - used) * 1000, (time.perf_counter() - begun) * 1000))
    return found if isinstance(found, dict) else {}


def copy_rows(first: int, last: int, people: int) -> None:
    """Make the copies of these numbers."""
    series = f"WITH RECURSIVE series(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n < {last})"  # noqa: S608
    person = "printf('%032x', {} + n % {})"
    names = {"driver": person.format(1, people), "passenger": person.format(1 + people, people)}
    with connection.cursor() as cursor:
        for model, changes in COPIED.items():
            columns = [str(field.column) for field in model._meta.local_concrete_fields]
            changed = {name: expression.format(**names) for name, expression in changes.items()}
            changed |= {name: f"datetime({name}, '-' || n || ' seconds')" for name in columns if name == "created_at"}
            values = ", ".join(changed.get(name, name) for name in columns)
            table, key = model._meta.db_table, _template(model)
            copied = f"SELECT {values} FROM series CROSS JOIN (SELECT * FROM {table} ORDER BY {key} LIMIT 1)"  # noqa: S608
            sql = f"{series} INSERT INTO {table} ({', '.join(columns)}) {copied}"
            cursor.execute(sql)
        cursor.execute("ANALYZE")


def _template(model: type[Model]) -> str:
    return "id" if model is TrackPoint else "created_at DESC"


def measure(counts: Sequence[int], people: int, tries: int) -> dict[str, tuple[float, float]]:
    """Return the milliseconds of each command by the number of rides: of the processor, and in all."""
    found: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-books-") as folder:
        use_database(Path(folder) / "bench.sqlite3")
        settings.SEARCH_FREE_CANCELS, settings.DEBUG = 0, False
        [driver] = make_drivers(0, 1)
        pair = Pair(driver, User.objects.create(msisdn="+6282200000001", role=Role.PASSENGER))
        crowd = [User(id=UUID(int=n), msisdn=f"+62877{n:08}", role="driver") for n in range(1, 2 * people + 1)]
        User.objects.bulk_create(crowd, 500)
        pair.ride(defaultdict(list))
        done = 1
        for count in counts:
            copy_rows(done + 1, count, people)
            done = count
            times: Times = defaultdict(list)
            for _ in range(tries):
                pair.ride(times)
            for name, pairs in times.items():
                used, taken = zip(*pairs, strict=True)
                found[f"{name} with {count:,} rides"] = statistics.median(used), statistics.median(taken)
        connection.close()
    return found


def main(arguments: Sequence[str]) -> None:
    """Measure with growing numbers of rides."""
    parser = argparse.ArgumentParser(prog="python -m bench.books", description="Commands with many rides in the books.")
    parser.add_argument("--rides", type=int, nargs="+", default=[10, 1_000_000], help="%(default)s")
    parser.add_argument("--people", type=int, default=20_000, help="drivers, and as many passengers (%(default)s)")
    parser.add_argument("--tries", type=int, default=30, help="of which the median is printed (%(default)s)")
    options = parser.parse_args(arguments)
    for what, (used, taken) in measure(sorted(options.rides), options.people, options.tries).items():
        say(f"{what}: {used:.2f} ms of CPU, {taken:.2f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
