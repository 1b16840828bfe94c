"""The outbox: `emit` writes to it, the relay reads it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from common import clock
from common.db import database_now, delete_batch
from common.rows import insert_rows
from common.tracing import tracing
from events.base import Event
from events.models import OutboxEvent
from events.wakeups import wake_relay

MOST_COUNTED = 10_000
"""Pending events that are counted: whoever watches them need not wait for the count of more."""


class Backlog(NamedTuple):
    """How many events are pending, at most `MOST_COUNTED`, and the age of the oldest in seconds."""

    events: int
    age: float


def emit(*events: Event) -> None:
    """Write events to the outbox of the current transaction, in this order and by one statement.

    The relay is woken when that has been committed. Raises `RuntimeError` outside a transaction: an event must never
    outlive a change that was rolled back.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"Emitted outside a transaction: {', '.join(type(event).__name__ for event in events)}.")
    if not events:
        return
    insert_rows([_row(event) for event in events])
    transaction.on_commit(wake_relay)


def _row(event: Event) -> OutboxEvent:
    views = event.views
    row = OutboxEvent(
        key=event.key,
        type=event.type,
        subject=event.subject,
        data=event.to_data(),
        audience={str(user): views[user].to_data() if user in views else None for user in event.audience},
        valid_until=event.valid_until,
    )
    with tracing.step("event", event.subject, key=event.key, event_id=row.event_id) as row.traceparent:
        return row


def expired_among(rows: Sequence[OutboxEvent]) -> set[int]:
    """Return the keys of the events that are not valid any more, by the clock of the database.

    The relay's own clock may be wrong: an hour fast, it would drop every offer.
    """
    limited = [row.pk for row in rows if row.valid_until is not None]
    if not limited:
        return set()
    return set(OutboxEvent.objects.filter(pk__in=limited, valid_until__lte=Now()).values_list("pk", flat=True))


def backlog_above(number: int) -> tuple[Backlog, int | None]:
    """Return how much is pending above a number, and the first of it; by the index alone, however much there is."""
    above = pending().filter(id__gt=number).order_by("id")
    if not (first := above.values_list("id", "created_at").first()):
        return Backlog(0, 0.0), None
    number, created_at = first
    return Backlog(above[:MOST_COUNTED].count(), max(0.0, (database_now() - created_at).total_seconds())), number


def newest_number() -> int:
    """Return the number of the newest event that is committed; 0 where there is none."""
    return OutboxEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0


def given_up() -> int:
    """Return how many events were given up."""
    return OutboxEvent.objects.filter(failed_at__isnull=False).count()


def pending() -> QuerySet[OutboxEvent]:
    """Return the events that were neither published nor given up."""
    return OutboxEvent.objects.filter(published_at__isnull=True, failed_at__isnull=True)


def mark_published(rows: Sequence[OutboxEvent]) -> None:
    """Mark events as published."""
    OutboxEvent.objects.filter(pk__in=[row.pk for row in rows]).update(published_at=clock.now(), error="")


def mark_attempt(row: OutboxEvent, error: str) -> bool:
    """Count a failed attempt; return True when it was the last one, so that the event has to be given up."""
    OutboxEvent.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1, error=error[:2000])
    return OutboxEvent.objects.filter(pk=row.pk, attempts__gte=settings.RELAY_MAX_ATTEMPTS).exists()


def mark_given_up(row: OutboxEvent) -> None:
    """Try no more; `outbox_events_retry` takes it back."""
    OutboxEvent.objects.filter(pk=row.pk).update(failed_at=clock.now())


def outbox_events_retry(*, ids: Iterable[int]) -> int:
    """Let the relay try events again that were given up; return how many."""
    given_up = OutboxEvent.objects.filter(pk__in=list(ids), failed_at__isnull=False)
    with transaction.atomic():
        count = given_up.update(failed_at=None, attempts=0)
        transaction.on_commit(wake_relay)
    return count


def purge_given_up(keep: timedelta) -> int:
    """Delete a batch of the events that were given up longer than `keep` ago; return how many."""
    return delete_batch(OutboxEvent.objects.filter(failed_at__lt=clock.now() - keep).order_by("failed_at"))


def purge_published(keep: timedelta) -> int:
    """Delete a batch of the events that were published longer than `keep` ago; return how many."""
    return delete_batch(OutboxEvent.objects.filter(published_at__lt=database_now() - keep).order_by("published_at"))
