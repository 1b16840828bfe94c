"""The passenger's search: it offers the ride to the nearest drivers, then to the next ones, for a few attempts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from common.errors import ValidationFailed
from events.outbox import emit
from rides.events import FinderUpdated
from rides.geo import GeoPoint
from rides.models import OPEN_MATCH, PASSENGER_BUSY, Finder, FinderStatus, Match, Ride
from rides.services.attempts import attempt_record
from rides.services.locking import lock_affairs
from rides.services.matches import matches_reject
from rides.services.offers import offers_flag_unreachable, offers_make
from rides.services.patience import is_restless, refuse_restless_passenger
from rides.services.quotes import quote_check
from rides.snapshots import finder_fields
from users.models import User


class Wish(msgspec.Struct, frozen=True):
    """What a passenger asks for."""

    location: GeoPoint
    target_location: GeoPoint
    vehicle_type: str = ""
    auto_accept: bool = False
    quote_id: UUID | None = None

    def moves(self, finder: Finder) -> bool:
        """Whether drivers have to be asked anew."""
        asked = (finder.location, finder.target_location, finder.vehicle_type)
        return asked != (self.location, self.target_location, self.vehicle_type)

    def columns(self) -> dict[str, object]:
        """Return the columns of a search for it."""
        return {
            "latitude": self.location.latitude,
            "longitude": self.location.longitude,
            "target_latitude": self.target_location.latitude,
            "target_longitude": self.target_location.longitude,
            "vehicle_type": self.vehicle_type,
            "auto_accept": self.auto_accept,
            "quote_id": self.quote_id,
        }


@transaction.atomic
def finder_update(
    *,
    user_id: UUID,
    is_active: bool,
    location: GeoPoint | None = None,
    target_location: GeoPoint | None = None,
    vehicle_type: str | None = None,
    auto_accept: bool = False,
    quote_id: UUID | None = None,
) -> None:
    """Begin, move or end a passenger's search for a driver.

    To begin, both places are needed and there may be no current ride; the nearest drivers get an offer at once. What is
    sent again while the search is on replaces it: for another place or vehicle, open offers are withdrawn and drivers
    asked from there. The same again, or ending what has ended, changes nothing.
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
    wish = Wish(location, target_location, vehicle_type or "", auto_accept, quote_id)
    now = timezone.now()
    if quote_id is not None and (finder is None or finder.quote_id != quote_id or wish.moves(finder)):
        asked = {"location": location, "target_location": target_location, "vehicle_type": wish.vehicle_type}
        quote_check(user_id=user_id, quote_id=quote_id, now=now, **asked)  # type: ignore[arg-type]
    if finder is None:
        _refuse_riding(user_id)
        refuse_restless_passenger(user_id, now)
        _begin(user_id, wish, now)
    elif wish.moves(finder):
        refuse_restless_passenger(user_id, now)
        _move(finder, wish, now)
    elif (wish.auto_accept, wish.quote_id) != (finder.auto_accept, finder.quote_id):
        _adjust(finder, wish)


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


def _refuse_riding(user_id: UUID) -> None:
    if Ride.objects.filter(passenger_id=user_id, status__in=PASSENGER_BUSY).exists():
        raise ValidationFailed("You have a current ride.", field="is_active")


def _begin(user_id: UUID, wish: Wish, now: datetime, origin_id: UUID | None = None) -> None:
    finder = Finder.objects.create(
        passenger_id=user_id,
        origin_id=origin_id,
        is_coarse=is_restless(user_id, now),
        attempt_ends_at=now,
        due_at=now,
        created_at=now,
        **wish.columns(),
    )
    emit(FinderUpdated(user_id=user_id, **finder_fields(finder)))
    _next_attempt(finder, now)


def _move(finder: Finder, wish: Wish, now: datetime) -> None:
    """Go on from another place: a search of its own, so that each keeps the record of whom it asked and from where."""
    _close(finder, FinderStatus.MOVED)
    _begin(finder.passenger_id, wish, now, origin_id=finder.origin_id or finder.pk)


def _adjust(finder: Finder, wish: Wish) -> None:
    """Change what makes no difference to the drivers."""
    finder.auto_accept, finder.quote_id = wish.auto_accept, wish.quote_id
    finder.save(update_fields=["auto_accept", "quote_id"])
    emit(FinderUpdated(user_id=finder.passenger_id, **finder_fields(finder)))


def _next_attempt(finder: Finder, now: datetime) -> None:
    finder.attempts += 1
    finder.attempt_ends_at = now + settings.MATCH_RESPONSE_TIMEOUT
    is_short = _search(finder, now)
    attempt_record(finder, now, look_farther=is_short)


def _search(finder: Finder, now: datetime) -> bool:
    """Offer the ride to the nearest available drivers, and beside each device that has not confirmed its offer.

    Return whether there are fewer of them than an attempt may ask; then it looks again soon.
    """
    offers_flag_unreachable(finder, now)
    offers = Match.objects.filter(finder=finder, attempt=finder.attempts)
    room: int = settings.MATCH_MAX_DRIVERS and settings.MATCH_MAX_DRIVERS - offers.filter(unreachable_at=None).count()
    made = offers_make(finder, room, now)
    if made:  # the attempt lasts as long as its offers, also those of another service
        finder.attempt_ends_at = max(finder.attempt_ends_at, now + settings.MATCH_RESPONSE_TIMEOUT)
    is_short = len(made) < room
    finder.due_at = min(_next_look(finder, now, has_room=is_short), finder.attempt_ends_at)
    finder.save(update_fields=["attempts", "attempt_ends_at", "due_at"])
    return is_short


def _next_look(finder: Finder, now: datetime, *, has_room: bool) -> datetime:
    """Return when the search looks again within its attempt: for more drivers, or for a receipt that is overdue."""
    awaited = Match.objects.filter(finder=finder, status__in=OPEN_MATCH, receipt_due_at__gt=now)
    receipt: datetime | None = awaited.aggregate(first=Min("receipt_due_at"))["first"]
    again = now + (settings.MATCH_SEARCH_INTERVAL if has_room else settings.MATCH_RESPONSE_TIMEOUT)
    return min(again, receipt) if receipt else again


def _end(finder: Finder, status: FinderStatus) -> None:
    """Close a search, and notify its passenger."""
    _close(finder, status)
    reason = {"reason": "no_driver"} if status == FinderStatus.NO_DRIVER else {}
    emit(FinderUpdated(user_id=finder.passenger_id, is_active=False, **reason))  # type: ignore[arg-type]


def _close(finder: Finder, status: FinderStatus) -> None:
    """Close a search and its open offers."""
    Finder.objects.filter(pk=finder.pk).update(status=status, ended_at=timezone.now())
    matches_reject(Match.objects.filter(finder=finder, status__in=OPEN_MATCH), "cancelled")
