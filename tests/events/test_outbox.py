import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from events import outbox
from events.base import Event
from events.models import OutboxEvent
from events.pending import PendingEvents

pytestmark = pytest.mark.django_db(transaction=True)
A, B = UUID(int=1), UUID(int=2)


class Happened(Event, frozen=True, kw_only=True):
    """Something for two people."""

    type: ClassVar[str] = "happened"
    subject: ClassVar[str] = "test.happened"
    number: int

    @property
    def key(self) -> str:
        return "k"

    @property
    def audience(self) -> Sequence[UUID]:
        return (A, B)


class Told(Happened, frozen=True, kw_only=True):
    """Something of which one sees less."""

    @property
    def views(self) -> dict[UUID, Event]:
        return {B: Happened(number=0)}


def emit(event: Event) -> None:
    with transaction.atomic():
        outbox.emit(event)


def test_an_event_is_written_with_its_audience() -> None:
    emit(Happened(number=5))
    row = OutboxEvent.objects.get()
    assert (row.type, row.subject, row.key, row.data) == ("happened", "test.happened", "k", {"number": 5})
    assert row.audience == {str(A): None, str(B): None}
    assert str(row) == "test.happened k"


def test_recipients_may_see_different_data() -> None:
    emit(Told(number=5))
    assert OutboxEvent.objects.get().audience == {str(A): None, str(B): {"number": 0}}


def test_what_is_rolled_back_was_never_told() -> None:
    def fail_late() -> None:
        with transaction.atomic():
            outbox.emit(Happened(number=5))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()
    assert not OutboxEvent.objects.exists()


def test_an_event_needs_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        outbox.emit(Happened(number=5))


def test_what_waits_is_handed_out_in_order_and_once() -> None:
    for number in range(3):
        emit(Happened(number=number))
    rows = PendingEvents().read(2)
    assert [row.data["number"] for row in rows] == [0, 1]
    outbox.mark_published(rows)
    assert [row.data["number"] for row in PendingEvents().read(2)] == [2]


def test_of_many_only_some_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe must not take the longer the more waits; the age is that of the oldest."""
    monkeypatch.setattr(outbox, "MOST_COUNTED", 2)
    for number in range(3):
        emit(Happened(number=number))
    oldest = OutboxEvent.objects.earliest("id")
    OutboxEvent.objects.filter(pk=oldest.pk).update(created_at=timezone.now() - timedelta(seconds=70))
    found, first = outbox.backlog_above(0)
    assert (found.events, int(found.age), first) == (2, 70, oldest.pk)
    found, _ = outbox.backlog_above(oldest.pk)
    assert (found.events, int(found.age)) == (2, 0)
    assert outbox.backlog_above(OutboxEvent.objects.latest("id").pk) == (outbox.Backlog(0, 0.0), None)


def test_an_event_is_given_up_after_the_last_attempt(settings: Any) -> None:
    settings.RELAY_MAX_ATTEMPTS = 2
    emit(Happened(number=1))
    (row,) = PendingEvents().read(1)
    assert not outbox.mark_attempt(row, "broken")
    assert outbox.mark_attempt(row, "broken again")
    assert PendingEvents().read(1) == [row]
    outbox.mark_given_up(row)
    row.refresh_from_db()
    assert (row.attempts, row.error) == (2, "broken again")
    assert row.failed_at is not None
    assert PendingEvents().read(1) == []


def test_only_old_published_events_are_deleted() -> None:
    for number in range(3):
        emit(Happened(number=number))
    first, second, _ = PendingEvents().read(3)
    outbox.mark_published([first, second])
    OutboxEvent.objects.filter(pk=first.pk).update(published_at=timezone.now() - timedelta(days=8))
    assert outbox.purge_published(timedelta(days=7)) == 1
    assert OutboxEvent.objects.count() == 2


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one writer in at a time")
def test_what_is_committed_late_is_not_skipped() -> None:
    """A smaller number may be committed after a larger one was published."""
    written, may_commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            outbox.emit(Happened(number=1))
            written.set()
            may_commit.wait(10)
        connection.close()

    slow = threading.Thread(target=write_slowly)
    slow.start()
    assert written.wait(10)
    emit(Happened(number=2))
    (later,) = PendingEvents().read(10)
    assert later.data == {"number": 2}
    outbox.mark_published([later])
    may_commit.set()
    slow.join()
    (earlier,) = PendingEvents().read(10)
    assert earlier.data == {"number": 1}
    assert earlier.pk < later.pk
