"""Waits for people who book or search and cancel, over and over.

Each search makes phones ring and shows something of where drivers are. So within an hour `SEARCH_FREE_CANCELS` are
free; then the next one has to wait, twice as long each time. And for a passenger of whose searches that many brought
nothing within a day, drivers are compared by their cells (`rides.cells`) instead of their exact places, so that the
order tells no more than the offers themselves. (The edge of the circle is one of cells in every search.)
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from common.errors import RateLimited
from rides.models import Finder, FinderStatus, Ride

WINDOW = timedelta(hours=1)
DAY = timedelta(hours=24)
LONGEST_WAIT = timedelta(minutes=10)


def refuse_restless_passenger(user_id: UUID, now: datetime) -> None:
    """Raise `RateLimited` for a passenger who has to wait before the next search."""
    _refuse(_cancelled_by_passenger(user_id, now - WINDOW), now)


def refuse_restless_driver(user_id: UUID, now: datetime) -> None:
    """Raise `RateLimited` for a driver who has to wait before the next booking."""
    _refuse(_rides_cancelled(now - WINDOW, driver_id=user_id, cancelled_by="driver"), now)


def is_restless(user_id: UUID, now: datetime) -> bool:
    """Whether so many searches of a passenger brought nothing today that drivers are chosen by their cells.

    A search that nobody answered counts, too: to a spy it is worth as much as one that was cancelled.
    """
    free: int = settings.SEARCH_FREE_CANCELS
    if not free:
        return False
    since = now - DAY
    unanswered = Finder.objects.filter(passenger_id=user_id, created_at__gte=since, status=FinderStatus.NO_DRIVER)
    return len(_cancelled_by_passenger(user_id, since)) + unanswered.count() >= free


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


def _cancelled_by_passenger(user_id: UUID, since: datetime) -> list[datetime]:
    ended = (FinderStatus.CANCELLED, FinderStatus.MOVED)
    searches = Finder.objects.filter(passenger_id=user_id, created_at__gte=since, status__in=ended)
    times = [when for when in searches.values_list("ended_at", flat=True) if when]
    return times + _rides_cancelled(since, passenger_id=user_id, cancelled_by="passenger")


def _rides_cancelled(since: datetime, **whose: object) -> list[datetime]:
    rides = Ride.objects.filter(created_at__gte=since, **whose)
    return [when for when in rides.values_list("cancelled_at", flat=True) if when]
