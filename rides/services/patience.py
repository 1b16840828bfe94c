"""Waits for people who book or search and cancel, over and over.

Each search makes phones ring and shows something of where drivers are. So within an hour `SEARCH_FREE_CANCELS` are
free; then the next one has to wait, twice as long each time. And for a passenger of whose searches that many brought
nothing within a day, drivers are compared by their cells (`rides.cells`) instead of their exact places, so that the
order tells no more than the offers themselves. (The edge of the circle is one of cells in every search.)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Q, QuerySet

from common.errors import RateLimited
from common.prepared import Prepared
from rides.models import PASSENGER_BUSY, Finder, FinderStatus, Ride
from rides.reasons import RideReason

WINDOW = timedelta(hours=1)
DAY = timedelta(hours=24)
LONGEST_WAIT = timedelta(minutes=10)


class PassengerDay(msgspec.Struct, frozen=True):
    """What is known of a passenger who wants to search."""

    is_searching: bool
    is_riding: bool
    cancelled: Sequence[tuple[datetime, datetime]]
    """When searches and rides began and were cancelled, of those that began within a day."""
    unanswered: int
    """Searches of the day that nobody answered: to a spy they are worth as much as those that were cancelled."""

    @classmethod
    def of(cls, user_id: UUID, now: datetime) -> Self:
        """Read the searches and rides of a day, and those that have not ended; one statement."""
        rows = _DAY.rows(user_id, now - DAY)
        nobody = FinderStatus.NO_DRIVER
        return cls(
            is_searching=any(status == FinderStatus.OPEN for status, *_ in rows),
            is_riding=any(status in PASSENGER_BUSY for status, *_ in rows),
            cancelled=[(begun, ended) for status, begun, ended in rows if ended and status != nobody],
            unanswered=sum(status == nobody for status, *_ in rows),
        )

    def refuse_restless(self, now: datetime) -> None:
        """Raise `RateLimited` for a passenger who has to wait before the next search."""
        _refuse([ended for begun, ended in self.cancelled if begun >= now - WINDOW], now)

    def is_restless(self, more: int = 0) -> bool:
        """Whether drivers are compared by their cells: after so many searches for nothing, with `more` just now."""
        free: int = settings.SEARCH_FREE_CANCELS
        return bool(free) and len(self.cancelled) + self.unanswered + more >= free


def _day(user_id: UUID, since: datetime) -> QuerySet[Any, Any]:
    """Return status, beginning and end of the searches and rides that are open, or came to nothing within a day."""
    ended = (FinderStatus.CANCELLED, FinderStatus.MOVED, FinderStatus.NO_DRIVER)
    lately = Q(created_at__gte=since, status__in=ended)
    searches = Finder.objects.filter(Q(status=FinderStatus.OPEN) | lately, passenger_id=user_id).order_by()
    lately = Q(created_at__gte=since, cancelled_by="passenger")
    rides = Ride.objects.filter(Q(status__in=PASSENGER_BUSY) | lately, passenger_id=user_id).order_by()
    of_searches = searches.values_list("status", "created_at", "ended_at")
    return of_searches.union(rides.values_list("status", "created_at", "cancelled_at"), all=True)


_DAY = Prepared(UUID, datetime, build=_day)


def refuse_restless_driver(user_id: UUID, now: datetime) -> None:
    """Raise `RateLimited` for a driver who has to wait before the next booking."""
    if settings.SEARCH_FREE_CANCELS:
        _refuse([ended for (ended,) in _CANCELLED_BY_DRIVER.rows(user_id, now - WINDOW)], now)


def _refuse(cancelled: list[datetime], now: datetime) -> None:
    """Raise `RateLimited` when the last of these times is not long enough ago for how many there are."""
    free: int = settings.SEARCH_FREE_CANCELS
    over = len(cancelled) - free
    if not free or over < 0:
        return
    wait = min(settings.SEARCH_CANCEL_WAIT * 2 ** min(over, 10), LONGEST_WAIT)
    left = max(cancelled) + wait - now
    if left > timedelta():
        raise RateLimited(
            "You have cancelled often; wait before the next one.",
            retry_after=left.total_seconds(),
            reason=RideReason.CANCELLED_OFTEN,
        )


def _cancelled_by_driver(user_id: UUID, since: datetime) -> QuerySet[Any, Any]:
    rides = Ride.objects.filter(created_at__gte=since, driver_id=user_id, cancelled_by="driver")
    return rides.exclude(cancelled_at=None).order_by().values_list("cancelled_at")


_CANCELLED_BY_DRIVER = Prepared(UUID, datetime, build=_cancelled_by_driver)
