"""The passenger's search: it offers the ride to the nearest drivers, then to the next ones, for a few attempts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from common.errors import ValidationFailed
from events.outbox import emit
from rides.events import FinderUpdated
from rides.geo import GeoPoint
from rides.models import OPEN_MATCH, PASSENGER_BUSY, Finder, FinderStatus, Match, Ride
from rides.services.locking import lock_affairs
from rides.services.matches import matches_reject
from rides.services.offers import offers_flag_unreachable, offers_make
from users.models import User


@transaction.atomic
def finder_update(
    *, user_id: UUID, is_active: bool, location: GeoPoint | None = None, target_location: GeoPoint | None = None
) -> None:
    """Begin or end a passenger's search for a driver.

    To begin, both places are needed and there may be no current ride; the nearest drivers get an offer at once.
    Beginning what has begun or ending what has ended changes nothing.
    """
    lock_affairs(user_id)
    finder = Finder.objects.filter(passenger_id=user_id, status=FinderStatus.OPEN).first()
    if not is_active:
        if finder is not None:
            _end(finder, FinderStatus.CANCELLED)
        return
    if location is None or target_location is None:
        missing = "location" if location is None else "target_location"
        raise ValidationFailed(f"{missing} is needed to look for a driver.", field=missing)
    if finder is None:
        _begin(user_id, location, target_location)


@transaction.atomic
def finder_continue(*, finder_id: UUID) -> None:
    """Continue an open search that is due: offer the ride to the next drivers, or end it after the last attempt."""
    passenger_id = Finder.objects.values_list("passenger_id", flat=True).get(pk=finder_id)
    lock_affairs(passenger_id)
    now = timezone.now()
    finder = Finder.objects.filter(pk=finder_id, status=FinderStatus.OPEN, due_at__lte=now).first()
    if finder is None:
        return
    if not User.objects.filter(pk=passenger_id, is_active=True).exists():
        _end(finder, FinderStatus.CANCELLED)
    elif now < finder.attempt_ends_at:
        _search(finder, now)
    elif finder.attempts < settings.MATCH_MAX_ATTEMPTS:
        _next_attempt(finder, now)
    else:
        _end(finder, FinderStatus.NO_DRIVER)


def _begin(user_id: UUID, location: GeoPoint, target: GeoPoint) -> None:
    if Ride.objects.filter(passenger_id=user_id, status__in=PASSENGER_BUSY).exists():
        raise ValidationFailed("You have a current ride.", field="is_active")
    now = timezone.now()
    finder = Finder.objects.create(
        passenger_id=user_id,
        latitude=location.latitude,
        longitude=location.longitude,
        target_latitude=target.latitude,
        target_longitude=target.longitude,
        attempt_ends_at=now,
        due_at=now,
        created_at=now,
    )
    emit(FinderUpdated(user_id=user_id, is_active=True, location=location, target_location=target))
    _next_attempt(finder, now)


def _next_attempt(finder: Finder, now: datetime) -> None:
    finder.attempts += 1
    finder.attempt_ends_at = now + settings.MATCH_RESPONSE_TIMEOUT
    _search(finder, now)


def _search(finder: Finder, now: datetime) -> None:
    """Offer the ride to the nearest available drivers, and beside each device that has not confirmed its offer.

    While there are fewer of them than an attempt may ask, it looks again soon.
    """
    offers_flag_unreachable(finder, now)
    offers = Match.objects.filter(finder=finder, attempt=finder.attempts)
    room: int = settings.MATCH_MAX_DRIVERS and settings.MATCH_MAX_DRIVERS - offers.filter(unreachable_at=None).count()
    made = offers_make(finder, room, now)
    if made:  # the attempt lasts as long as its offers, also those of another service
        finder.attempt_ends_at = max(finder.attempt_ends_at, now + settings.MATCH_RESPONSE_TIMEOUT)
    finder.due_at = min(_next_look(finder, now, has_room=len(made) < room), finder.attempt_ends_at)
    finder.save(update_fields=["attempts", "attempt_ends_at", "due_at"])


def _next_look(finder: Finder, now: datetime, *, has_room: bool) -> datetime:
    """Return when the search looks again within its attempt: for more drivers, or for a receipt that is overdue."""
    awaited = Match.objects.filter(finder=finder, status__in=OPEN_MATCH, receipt_due_at__gt=now)
    receipt: datetime | None = awaited.aggregate(first=Min("receipt_due_at"))["first"]
    again = now + (settings.MATCH_SEARCH_INTERVAL if has_room else settings.MATCH_RESPONSE_TIMEOUT)
    return min(again, receipt) if receipt else again


def _end(finder: Finder, status: FinderStatus) -> None:
    """Close a search and its open offers."""
    Finder.objects.filter(pk=finder.pk).update(status=status, ended_at=timezone.now())
    matches_reject(Match.objects.filter(finder=finder, status__in=OPEN_MATCH), "cancelled")
    reason = {"reason": "no_driver"} if status == FinderStatus.NO_DRIVER else {}
    emit(FinderUpdated(user_id=finder.passenger_id, is_active=False, **reason))  # type: ignore[arg-type]
