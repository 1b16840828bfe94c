"""Waits for people who book or search and cancel, over and over.

Each search makes phones ring and shows something of where drivers are. So within an hour `SEARCH_FREE_CANCELS` are
free; then the next one has to wait, twice as long each time. And for a passenger of whose searches that many brought
nothing within a day, drivers are compared by their cells (`rides.cells`) instead of their exact places, so that the
order tells no more than the offers themselves. (The edge of the circle is one of cells in every search.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Q

from common.errors import RateLimited
from rides.models import PASSENGER_BUSY, Finder, FinderStatus, Ride

WINDOW = timedelta(hours=1)
DAY = timedelta(hours=24)
LONGEST_WAIT = timedelta(minutes=10)


class PassengerDay(msgspec.Struct, frozen=True):
    """What is known of a passenger who wants to search."""

    is_riding: bool
    cancelled: Sequence[tuple[datetime, datetime]]
    """When searches and rides began and were cancelled, of those that began within a day."""
    unanswered: int
    """Searches of the day that nobody answered: to a spy they are worth as much as those that were cancelled."""

    @classmethod
    def of(cls, user_id: UUID, searches: Iterable[Finder], now: datetime) -> Self:
        """Read the rides of a day; the searches are those of `searches_of_today`."""
        lately = Q(created_at__gte=now - DAY, cancelled_by="passenger")
        rides = Ride.objects.filter(Q(status__in=PASSENGER_BUSY) | lately, passenger_id=user_id).order_by()
        rows = list(rides.values_list("status", "created_at", "cancelled_at"))
        cancelled = [(begun, ended) for _, begun, ended in rows if ended]
        nobody = FinderStatus.NO_DRIVER
        cancelled += [(one.created_at, one.ended_at) for one in searches if one.ended_at and one.status != nobody]
        return cls(
            is_riding=any(status in PASSENGER_BUSY for status, *_ in rows),
            cancelled=cancelled,
            unanswered=sum(search.status == nobody for search in searches),
        )

    def refuse_restless(self, now: datetime) -> None:
        """Raise `RateLimited` for a passenger who has to wait before the next search."""
        _refuse([ended for begun, ended in self.cancelled if begun >= now - WINDOW], now)

    def is_restless(self, more: int = 0) -> bool:
        """Whether drivers are compared by their cells: after so many searches for nothing, with `more` just now."""
        free: int = settings.SEARCH_FREE_CANCELS
        return bool(free) and len(self.cancelled) + self.unanswered + more >= free


def searches_of_today(user_id: UUID, now: datetime) -> list[Finder]:
    """Return the open search of a passenger, and those of a day that brought nothing or were moved."""
    ended = (FinderStatus.CANCELLED, FinderStatus.MOVED, FinderStatus.NO_DRIVER)
    lately = Q(created_at__gte=now - DAY, status__in=ended)
    return list(Finder.objects.filter(Q(status=FinderStatus.OPEN) | lately, passenger_id=user_id).order_by())


def refuse_restless_driver(user_id: UUID, now: datetime) -> None:
    """Raise `RateLimited` for a driver who has to wait before the next booking."""
    _refuse(_rides_cancelled(now - WINDOW, driver_id=user_id, cancelled_by="driver"), now)


def _refuse(cancelled: list[datetime], now: datetime) -> None:
    """Raise `RateLimited` when the last of these times is not long enough ago for how many there are."""
    free: int = settings.SEARCH_FREE_CANCELS
    over = len(cancelled) - free
    if not free or over < 0:
        return
    wait = min(settings.SEARCH_CANCEL_WAIT * 2 ** min(over, 10), LONGEST_WAIT)
    left = max(cancelled) + wait - now
    if left > timedelta():
        raise RateLimited("You have cancelled often; wait before the next one.", retry_after=left.total_seconds())


def _rides_cancelled(since: datetime, **whose: object) -> list[datetime]:
    rides = Ride.objects.filter(created_at__gte=since, **whose)
    return [when for when in rides.values_list("cancelled_at", flat=True) if when]
