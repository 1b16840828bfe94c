"""What ends when a person is deactivated."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from rides.models import OPEN_MATCH, Beacon, Finder, FinderStatus, Match, Ride, RideStatus
from rides.services.beacons import beacon_update
from rides.services.finders import finder_update
from rides.services.locking import lock_affairs
from rides.services.rides import pickups_cancel
from users.services import user_deactivate

GONE = "The other side is not available any more."


@transaction.atomic
def person_deactivate(*, user_id: UUID) -> bool:
    """Deactivate a user and end what they have open. Return False if they were deactivated before.

    Offers, beacon, search and a booked ride end at once; a ride that is under way may then be left by the other side.
    """
    lock_affairs(user_id)
    changed = user_deactivate(user_id=user_id)
    _close(user_id)
    return changed


@transaction.atomic
def person_close(*, user_id: UUID) -> None:
    """End what a user has open, who was deactivated in another way."""
    lock_affairs(user_id)
    _close(user_id)


def people_to_close(limit: int) -> set[UUID]:
    """Return users who are deactivated and have something open all the same."""
    opened: tuple[tuple[QuerySet[Any], str], ...] = (
        (Beacon.objects.filter(is_active=True), "driver"),
        (Finder.objects.filter(status=FinderStatus.OPEN), "passenger"),
        (Match.objects.filter(status__in=OPEN_MATCH), "driver"),
        (Match.objects.filter(status__in=OPEN_MATCH), "passenger"),
        (Ride.objects.filter(status=RideStatus.PICKUP), "driver"),
        (Ride.objects.filter(status=RideStatus.PICKUP), "passenger"),
    )
    found: set[UUID] = set()
    for rows, side in opened:
        gone = rows.filter(**{f"{side}__is_active": False}).order_by()
        found.update(gone.values_list(f"{side}_id", flat=True)[:limit])
    return found


def _close(user_id: UUID) -> None:
    if Beacon.objects.filter(driver_id=user_id, is_active=True).exists():
        beacon_update(user_id=user_id, is_active=False)
    finder_update(user_id=user_id, is_active=False)
    pickups_cancel(user_id, GONE)
