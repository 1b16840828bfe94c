"""What events tell of people: they are removed with the person, once they have been delivered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Max, Min

from events.models import DeadLetter, OutboxEvent

SCANNED_AT_ONCE = 5000
"""Rows of the outbox that are searched for a person at a time; there is no index on recipients."""


class Person(Protocol):
    """A user, of an app above this one."""

    pk: UUID
    history_from: datetime | None
    """What is older is of an earlier owner of the number."""


class EventsData:
    """The outbox and the dead letters."""

    def check(self, user: Person) -> None:
        """Nothing stands against it."""

    def withdraw(self, user: Person) -> None:
        """Nothing: what is on its way is for the sockets that are about to close."""

    def hand_over(self, user: Person) -> None:
        """Nothing: events that were delivered are shown to nobody."""

    def erase(self, user: Person) -> None:
        """Leave the events alone: others, and the person's own sockets, have yet to hear them."""

    def erase_rest(self, user_id: UUID) -> Iterator[None]:
        """Remove the delivered events that the person was a recipient of, and dead letters that name them."""
        ends = OutboxEvent.objects.aggregate(first=Min("pk"), last=Max("pk"))
        for start in range(ends["first"] or 0, (ends["last"] or 0) + 1, SCANNED_AT_ONCE):
            rows = OutboxEvent.objects.filter(pk__gte=start, pk__lt=start + SCANNED_AT_ONCE, published_at__isnull=False)
            rows.filter(audience__has_key=str(user_id)).delete()
            yield
        for letter in DeadLetter.objects.iterator(100):
            if str(user_id).encode() in bytes(letter.payload):
                letter.delete()
                yield

    def expire(self) -> Iterator[None]:
        """Nothing: the relay removes delivered events after `OUTBOX_RETENTION`."""
        return iter(())

    def export(self, user: Person) -> dict[str, Any]:
        """Return the events that the person was a recipient of."""
        rows = OutboxEvent.objects.filter(audience__has_key=str(user.pk)).order_by("pk")
        if user.history_from is not None:
            rows = rows.filter(created_at__gte=user.history_from)
        return {"events": [_exported(row, str(user.pk)) for row in rows.iterator(500)]}


def _exported(row: OutboxEvent, user_id: str) -> dict[str, Any]:
    return {"type": row.type, "created_at": row.created_at, "data": row.audience[user_id] or row.data}
