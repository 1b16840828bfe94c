"""The clock that all processes share, for a process whose own clock is wrong."""

from __future__ import annotations

import ast
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from common import clock
from common.clock import SharedClock, shared_clock

OWN_CLOCK = {
    "common/clock.py": "what others ask",
    "common/db.py": "SQLite has no other",
    "users/presence/memory.py": "one process",
    "users/presence/base.py": "compared with itself",
    "realtime/socket/connections.py": "compared with itself",
    "realtime/delivery/layers/memory.py": "one process",
    "realtime/operations/views.py": "says when this process answered",
    "realtime/operations/health.py": "compares the two",
}
"""The files that may ask the clock of the process, and why."""


class Database:
    """A clock that is a day ahead, and answers after a while of the steady clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead, self.takes, self.steady = timedelta(days=1), 0.0, 100.0
        self.began = timezone.now()
        monkeypatch.setattr(connection, "vendor", "postgresql")
        monkeypatch.setattr(clock, "database_now", self.now)
        monkeypatch.setattr(clock, "steady", lambda: self.steady)

    def now(self) -> datetime:
        self.steady += self.takes
        return self.began + self.ahead + timedelta(seconds=self.steady - 100 - self.takes / 2)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    return Database(monkeypatch)


def test_before_it_has_measured_a_process_has_its_own_clock() -> None:
    with time_machine.travel("2026-05-31T12:00:00Z", tick=False):
        assert clock.now() == datetime(2026, 5, 31, 12, tzinfo=UTC)
        assert clock.timestamp() == clock.now().timestamp()


def test_it_is_the_clock_of_the_database_and_goes_on(database: Database) -> None:
    shared_clock().measure()
    for moment in ("2001-01-01T00:00:00Z", "2033-01-01T00:00:00Z"):  # whatever is set here
        with time_machine.travel(moment, tick=False):
            assert clock.timestamp() == pytest.approx((database.began + timedelta(days=1)).timestamp())
    database.steady += 5
    assert clock.timestamp() == pytest.approx((database.began + timedelta(days=1, seconds=5)).timestamp())
    assert clock.now().timestamp() == pytest.approx(clock.timestamp())


def test_an_answer_that_came_late_changes_nothing(database: Database) -> None:
    """The process was suspended, or the database, before or after it looked at its clock."""
    measured = SharedClock()
    measured.measure()
    first = measured._ahead
    database.takes = 20.0
    database.ahead += timedelta(seconds=9)
    measured.measure()
    assert measured._ahead == first
    database.takes = 0.0
    measured.measure()
    assert measured._ahead == pytest.approx((first or 0) + 9)


async def test_a_database_that_is_away_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: SharedClock) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(SharedClock, "measure", fail)
    await clock.measure()
    assert shared_clock()._ahead is None


def asked(path: Path) -> list[int]:
    """Return the lines in which a file asks the clock of its process."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
    own = {("timezone", "now"), ("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}
    return [n.lineno for n in calls if isinstance(n.value, ast.Name) and (n.value.id, n.attr) in own]


def test_everybody_asks_the_clock_that_all_share() -> None:
    """What is written or compared by one process is read by others; who has a reason not to says it above."""
    found = {}
    for package in ("common", "events", "users", "rides", "realtime", "web"):
        for path in (Path(settings.BASE_DIR) / package).rglob("*.py"):
            if "migrations" not in path.parts and (lines := asked(path)):
                found[str(path.relative_to(settings.BASE_DIR))] = lines
    assert found.keys() == OWN_CLOCK.keys(), found


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no other clock than ours")
@pytest.mark.django_db
@pytest.mark.parametrize("hours", [-1, 1])
def test_measured_on_postgresql(hours: int) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
        shared_clock().measure()
        assert abs((timezone.now() - clock.now()).total_seconds() - 3600 * hours) < 30


def test_any_thread_may_ask(database: Database) -> None:
    shared_clock().measure()
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(clock.timestamp())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
