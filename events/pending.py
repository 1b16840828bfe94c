"""Reading what is pending, quickly also beside a transaction that stays open.

PostgreSQL keeps published rows in the index of pending ones for as long as any transaction may see them: beside a dump,
or a console that somebody forgot, each look from the oldest number on would read everything that was published since.
So a look begins where all before is known to be done. Numbers are given out before the commit, so one that is missing
below may still come: it is asked for by itself, until every transaction that may have it is over. Now and then, at a
fiftieth of the time, all is looked at: an event that was given up may be taken back.
"""

from __future__ import annotations

import time
from functools import cache

from django.db import connection

from common.prepared import PreparedObjects
from common.process import process
from events.models import OutboxEvent
from events.outbox import Backlog, backlog_above, newest_number, pending

SHARE = 50
"""A look at everything is made after so many times as long as the last one took."""

MOST_MISSING = 2000
"""Numbers that may be missing at once; with more, everything is looked at each time until they are explained."""


class PendingEvents:
    """The pending events as one relay reads them, in the order of their numbers.

    Of two events of which the second was written after the first was committed, the second is never returned earlier.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._floor = 0  # up to here nothing is pending but what is missing
        self._seen: set[int] = set()  # above the floor
        self._missing: dict[int, int | None] = {}  # the first transaction that is too late to have it, when known
        self._explained: int | None = None  # no number up to here is missing; None: not known yet
        self._start: tuple[int, int] | None = None  # the newest number at the first look, and the next transaction then
        self._look_at_all_at = 0.0

    def read(self, limit: int) -> list[OutboxEvent]:
        """Return the oldest events that are pending."""
        if connection.vendor != "postgresql":
            return _oldest(limit).all()  # a writer commits before the next one gets a number
        over = self._begin() if self._explained is None else self._transactions_over()
        rows = self._look(limit)
        numbers = [row.pk for row in rows]
        for number in [*numbers, *over]:
            self._missing.pop(number, None)
        self._rise([number for number in numbers if number > self._floor], is_all=len(rows) < limit)
        return rows

    def _look(self, limit: int) -> list[OutboxEvent]:
        began = time.monotonic()
        if self._explained is None or began >= self._look_at_all_at:
            rows = list(pending().order_by("id")[:limit])
            self._look_at_all_at = time.monotonic() + SHARE * (time.monotonic() - began)
            return rows
        rows = list(pending().filter(id__gt=self._floor).order_by("id")[:limit])
        # After the others: what was committed before one of them must not be overlooked.
        late = list(pending().filter(id__in=list(self._missing)).order_by("id")[:limit]) if self._missing else []
        return [*late, *rows][:limit]

    def _begin(self) -> list[int]:
        """Wait for the end of all transactions that may have a number below the newest one of the first look."""
        if self._start is None:
            self._start = newest_number(), _snapshot()[1]
        elif _snapshot()[0] >= self._start[1]:
            self._explained = self._start[0]
        return []

    def _transactions_over(self) -> list[int]:
        """Return the missing numbers that nobody has any more unless it is committed: the next look is their last.

        Who took a number before the last look has begun a transaction by now, which is earlier than the next one.
        """
        if not self._missing:
            return []
        oldest, following = _snapshot()
        over = [number for number, end in self._missing.items() if end is not None and oldest >= end]
        self._missing |= dict.fromkeys([number for number, end in self._missing.items() if end is None], following)
        return over

    def _rise(self, above: list[int], *, is_all: bool) -> None:
        """Raise the floor to below the first pending event above it; what is skipped is missing."""
        self._seen.update(above)
        if self._explained is None or not (above or is_all):
            return
        top = above[0] - 1 if above else max(self._floor, self._explained, *self._seen)
        skipped = range(max(self._floor, self._explained) + 1, top + 1)
        if len(skipped) > MOST_MISSING + len(self._seen) or len(self._missing) > MOST_MISSING:
            self._forget()
            return
        self._missing |= dict.fromkeys(number for number in skipped if number not in self._seen)
        self._floor = max(self._floor, top)
        self._seen = {number for number in self._seen if number > self._floor}


def _snapshot() -> tuple[int, int]:
    """Return the oldest transaction that is not over, and the next one that will begin; of those that write."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() s"
        )
        oldest, following = cursor.fetchone()
    return oldest, following


@cache
def _oldest(limit: int) -> PreparedObjects[OutboxEvent]:
    """Return the query for so many of the oldest; the relay asks it after each commit."""
    return PreparedObjects(build=lambda: pending().order_by("id")[:limit])


class PendingCount:
    """How much is pending, as whoever watches it reads it; what is committed late may be counted late."""

    def __init__(self) -> None:
        self._floor = 0
        self._look_at_all_at = 0.0

    def read(self) -> Backlog:
        """Count."""
        began = time.monotonic()
        is_all = began >= self._look_at_all_at
        found, first = backlog_above(0 if is_all else self._floor)
        if is_all:
            self._floor = (newest_number() if first is None else first) - MOST_MISSING
            self._look_at_all_at = time.monotonic() + SHARE * (time.monotonic() - began)
        return found


def backlog() -> Backlog:
    """Return how much is pending."""
    counter: PendingCount = process.one(PendingCount, PendingCount)
    return counter.read()
