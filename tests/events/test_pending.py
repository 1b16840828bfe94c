"""What is pending, while transactions take their time: nothing is missed, nothing overtakes, and a look stays short."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.utils import timezone

from events import pending as module
from events.models import OutboxEvent
from events.outbox import mark_given_up, mark_published, outbox_events_retry, pending
from events.pending import PendingCount, PendingEvents, backlog
from tests.patience import until_true

pytestmark = pytest.mark.django_db(transaction=True)

only_postgresql = pytest.mark.skipif(
    "postgresql" not in connections.settings["default"]["ENGINE"], reason="SQLite has one writer at a time"
)
NEVER = float("inf")


class Other:
    """A connection of its own, with one transaction."""

    def __init__(self) -> None:
        self._session: Any = connections.create_connection("default")
        self.numbers: list[int] = []

    def begin(self) -> None:
        self._session.set_autocommit(False)

    def emit(self) -> int:
        """Write an event; return its number."""
        columns = "event_id, key, type, subject, data, audience, created_at, attempts, error"
        with self._session.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO events_outboxevent ({columns}) VALUES (%s, 'k', 't', 's', '{{}}', '{{}}', %s, 0, '') "
                "RETURNING id",
                [uuid4(), timezone.now()],
            )
            self.numbers.append(cursor.fetchone()[0])
        return self.numbers[-1]

    def look(self) -> None:
        """See the database as it is now, for as long as the transaction lasts."""
        with self._session.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT count(*) FROM events_outboxevent")

    def commit(self) -> list[int]:
        self._session.commit()
        numbers, self.numbers = self.numbers, []
        return numbers

    def roll_back(self) -> None:
        self._session.rollback()
        self.numbers = []

    def close(self) -> None:
        self._session.close()


@contextmanager
def transaction() -> Iterator[Other]:
    other = Other()
    other.begin()
    try:
        yield other
    finally:
        other.roll_back()
        other.close()


def happen(count: int = 1) -> list[int]:
    rows = [OutboxEvent(key="k", type="t", subject="s", data={}, audience={}) for _ in range(count)]
    return [row.pk for row in OutboxEvent.objects.bulk_create(rows)]


def taken(reader: PendingEvents, limit: int = 100) -> list[int]:
    """Read, and publish what was read."""
    rows = reader.read(limit)
    mark_published(rows)
    return [row.pk for row in rows]


def settled_reader() -> PendingEvents:
    """A reader that knows where to begin, and does not look at everything any more."""
    reader = PendingEvents()
    mark_published([OutboxEvent(pk=number) for number in happen()])

    def knows() -> bool:
        reader.read(1)
        return reader._explained is not None or connection.vendor != "postgresql"

    until_true(knows)
    reader._look_at_all_at = NEVER
    return reader


def test_what_is_pending_comes_in_order_and_until_it_is_published() -> None:
    before = happen(3)
    reader = settled_reader()
    more = happen(4)
    first = [row.pk for row in reader.read(5)]
    assert first == [row.pk for row in reader.read(5)] == [*before, *more[:2]]
    assert taken(reader, 5) == first
    assert taken(reader) == more[2:]
    assert taken(reader) == []


@only_postgresql
def test_an_event_that_is_committed_late_is_not_missed() -> None:
    """Another person's events go on meanwhile; whoever waited for its lock comes after it."""
    reader = settled_reader()
    with transaction() as slow:
        late = slow.emit()
        for _ in range(20):
            [number] = happen()
            assert number > late
            assert taken(reader) == [number]
            assert taken(reader) == []
        slow.commit()
        [waited] = happen()
        assert taken(reader) == [late, waited]
    assert taken(reader) == []


@only_postgresql
def test_what_is_never_committed_is_forgotten() -> None:
    reader = settled_reader()
    with transaction() as failing:
        failing.emit()
        assert taken(reader) == []
        happen()
        taken(reader)
        assert len(reader._missing) == 1
        failing.roll_back()

    def is_forgotten() -> bool:
        happen()
        taken(reader)
        return not reader._missing

    until_true(is_forgotten)


@only_postgresql
def test_a_relay_that_begins_beside_an_open_transaction_misses_nothing() -> None:
    with transaction() as slow:
        late = slow.emit()
        [number] = happen()
        reader = PendingEvents()
        assert taken(reader) == [number]
        assert taken(reader) == []
        assert reader._explained is None
        slow.commit()
    assert taken(reader) == [late]


def test_an_event_that_was_given_up_is_found_when_it_is_taken_back() -> None:
    reader = settled_reader()
    given_up = happen(3)
    for row in reader.read(100):
        mark_given_up(row)
    assert taken(reader) == []
    taken(reader) if happen() else None
    assert outbox_events_retry(ids=given_up) == 3
    reader._look_at_all_at = 0.0
    assert taken(reader) == given_up


@only_postgresql
def test_many_failures_end_in_looking_at_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered has a bound; nothing is missed for that."""
    monkeypatch.setattr(module, "MOST_MISSING", 5)
    reader = settled_reader()
    with transaction() as slow:
        late = [slow.emit() for _ in range(10)]
        [number] = happen()
        assert taken(reader) == [number]
        assert taken(reader) == []
        assert reader._missing == {}
        slow.commit()
    assert taken(reader) == late


def blocks_read(looked: Any) -> int:
    """Return how many blocks PostgreSQL looks at for this."""
    [plan] = json.loads(looked.explain(format="json", analyze=True, buffers=True))
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


def by_index() -> None:
    """Let a table that is still small be read as a large one is."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")


def begin_with_an_empty_index() -> None:
    """Leave no block behind that earlier tests have filled, and that would be counted."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_outboxevent")


@only_postgresql
def test_a_look_is_short_beside_a_transaction_that_stays_open() -> None:
    """A dump, or a forgotten console: published events stay in the index for it."""
    begin_with_an_empty_index()
    reader = settled_reader()
    with transaction() as dump:
        dump.look()
        for _ in range(5):
            happen(400)
            while taken(reader, 400):
                pass
        by_index()
        everything = pending().order_by("id")[:100]
        assert blocks_read(everything) >= 30
        assert blocks_read(pending().filter(id__gt=reader._floor).order_by("id")[:100]) < 10
        happen(2)
        assert backlog().events == 2
        counter = PendingCount()
        counter.read()
        counter._look_at_all_at = NEVER
        happen(1)
        assert counter.read().events == 3


@only_postgresql
@pytest.mark.parametrize("seed", range(6))
def test_whatever_commits_when_nothing_is_missed_or_overtaken(seed: int) -> None:
    """Transactions begin, write, commit and fail at random; what was written after a commit is read after it."""
    rng = random.Random(seed)
    reader = settled_reader()
    read: list[int] = []
    committed: set[int] = set()
    before: dict[int, set[int]] = {}  # what was committed when an event was written
    with ExitStack() as stack:
        writers = [stack.enter_context(transaction()) for _ in range(4)]
        for _ in range(150):
            writer = rng.choice(writers)
            match rng.choice(["emit", "emit", "commit", "fail", "read", "read"]):
                case "emit":
                    before[writer.emit()] = set(committed)
                case "commit":
                    committed.update(writer.commit())
                case "fail":
                    writer.roll_back()
                case "read":
                    read += taken(reader, rng.randint(1, 4))
        for writer in writers:
            committed.update(writer.commit())
        while found := taken(reader, 3):
            read += found
    assert sorted(read) == sorted(committed)
    place = {number: n for n, number in enumerate(read)}
    for number, earlier in before.items():
        if number in committed:
            assert all(place[other] < place[number] for other in earlier)
    assert all(row.published_at for row in OutboxEvent.objects.all())
    assert len(list(itertools.chain(reader._missing))) <= len(before)
