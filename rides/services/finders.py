"""The passenger's search: it offers the ride to the nearest drivers, then to the next ones, for a few attempts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from common import clock
from common.errors import CommonReason, ValidationFailed
from common.prepared import PreparedObjects
from common.rows import insert_rows, update_row
from events.base import Event
from events.outbox import emit
from rides.events import FinderUpdated, MatchFound
from rides.geo import GeoPoint
from rides.matching import OfferDecision
from rides.models import OPEN_MATCH, Finder, FinderStatus, Match
from rides.reasons import RideReason
from rides.services.attempts import attempt_record
from rides.services.locking import lock_affairs
from rides.services.matches import matches_close
from rides.services.offers import offers_flag_unreachable, offers_make
from rides.services.patience import PassengerDay
from rides.services.quotes import quote_check
from rides.snapshots import finder_fields, match_fields
from users.models import User

PROGRESS = ("attempts", "attempt_ends_at", "due_at")
"""What a look for drivers changes in a search."""


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


@transaction.atomic(savepoint=False)
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
    now = clock.now()
    if not is_active:
        finder = _OPEN.one(user_id)
        if finder is not None:
            _end(finder, FinderStatus.CANCELLED, now)
        return
    if location is None or target_location is None:
        missing = "location" if location is None else "target_location"
        raise ValidationFailed(
            f"{missing} is needed to look for a driver.", reason=CommonReason.MISSING_FIELD, field=missing
        )
    day = PassengerDay.of(user_id, now)
    finder = _OPEN.one(user_id) if day.is_searching else None
    wish = Wish(location, target_location, vehicle_type or "", auto_accept, quote_id)
    if quote_id is not None and (finder is None or finder.quote_id != quote_id or wish.moves(finder)):
        asked = {"location": location, "target_location": target_location, "vehicle_type": wish.vehicle_type}
        quote_check(user_id=user_id, quote_id=quote_id, now=now, **asked)  # type: ignore[arg-type]
    if finder is None or wish.moves(finder):
        if day.is_riding:
            raise ValidationFailed("You have a current ride.", reason=RideReason.ALREADY_ON_A_RIDE, field="is_active")
        day.refuse_restless(now)
        emit(*(_move(finder, wish, day, now) if finder else _begin(user_id, wish, now, is_coarse=day.is_restless())))
    elif (wish.auto_accept, wish.quote_id) != (finder.auto_accept, finder.quote_id):
        _adjust(finder, wish)


@transaction.atomic
def finder_continue(
    *, finder_id: UUID, due_by: datetime | None = None, planned: Iterable[OfferDecision] | None = None
) -> None:
    """Continue an open search that is due: offer the ride to the next drivers, or end it after the last attempt.

    A window continues those that were due by its end, with the decisions that were planned for all of them together.
    """
    passenger_id = Finder.objects.values_list("passenger_id", flat=True).get(pk=finder_id)
    lock_affairs(passenger_id)
    now = clock.now()
    finder = Finder.objects.filter(pk=finder_id, status=FinderStatus.OPEN, due_at__lte=due_by or now).first()
    if finder is None:
        return
    if not User.objects.filter(pk=passenger_id, is_active=True).exists():
        _end(finder, FinderStatus.CANCELLED, now)
    elif not finder.attempt_is_over(now):
        made = _search(finder, now, planned)
        update_row(finder, *PROGRESS)
        emit(*made.events)
    elif finder.attempts < settings.MATCH_MAX_ATTEMPTS:
        events = _next_attempt(finder, now, planned)
        update_row(finder, *PROGRESS)
        emit(*events)
    else:
        _end(finder, FinderStatus.NO_DRIVER, now)


def _begin(user_id: UUID, wish: Wish, now: datetime, *, is_coarse: bool, origin_id: UUID | None = None) -> list[Event]:
    """Create a search and make its first attempt; return the events. The row is written once, with what came of it.

    With windows the first attempt is made by the timers, at the end of the window, for all searches of it together.
    """
    finder = Finder(
        passenger_id=user_id,
        origin_id=origin_id,
        is_coarse=is_coarse,
        attempt_ends_at=now,
        due_at=now,
        created_at=now,
        **wish.columns(),
    )
    events: list[Event] = [FinderUpdated(user_id=user_id, **finder_fields(finder))]
    if not settings.MATCH_WINDOW:
        events += _next_attempt(finder, now)
    insert_rows([finder])
    return events


def _move(finder: Finder, wish: Wish, day: PassengerDay, now: datetime) -> list[Event]:
    """Go on from another place: a search of its own, so that each keeps the record of whom it asked and from where."""
    closed = _close(finder, FinderStatus.MOVED, now)
    is_coarse = day.is_restless(more=1)
    origin_id = finder.origin_id or finder.pk
    return [*closed, *_begin(finder.passenger_id, wish, now, is_coarse=is_coarse, origin_id=origin_id)]


def _adjust(finder: Finder, wish: Wish) -> None:
    """Change what makes no difference to the drivers."""
    finder.auto_accept, finder.quote_id = wish.auto_accept, wish.quote_id
    finder.save(update_fields=["auto_accept", "quote_id"])
    emit(FinderUpdated(user_id=finder.passenger_id, **finder_fields(finder)))


def _next_attempt(finder: Finder, now: datetime, planned: Iterable[OfferDecision] | None = None) -> list[Event]:
    """Begin an attempt; return its events. The caller saves the search."""
    finder.attempts += 1
    finder.attempt_ends_at = max(finder.attempt_ends_at, now + settings.MATCH_RESPONSE_TIMEOUT)
    made = _search(finder, now, planned)
    attempt_record(finder, now, look_farther=made.is_short)
    return made.events


class Made(msgspec.Struct, frozen=True):
    """What a look for drivers led to; it is short with fewer offers than an attempt may make: it looks again soon."""

    events: list[Event]
    is_short: bool


def _search(finder: Finder, now: datetime, planned: Iterable[OfferDecision] | None = None) -> Made:
    """Offer the ride to the nearest available drivers, and beside each device that has not confirmed its offer.

    The caller saves the search and emits the events.
    """
    offers = [] if finder._state.adding else list(Match.objects.filter(finder=finder))
    unreachable = offers_flag_unreachable(offers, now)
    asked = sum(offer.attempt == finder.attempts and offer.unreachable_at is None for offer in offers)
    room: int = settings.MATCH_MAX_DRIVERS and settings.MATCH_MAX_DRIVERS - asked
    made = offers_make(finder, offers, room, now, planned)
    if made:  # the attempt lasts as long as its offers, also those of another service
        finder.attempt_ends_at = max(finder.attempt_ends_at, now + settings.MATCH_RESPONSE_TIMEOUT)
    is_short = len(made) < room
    finder.due_at = min(_next_look([*offers, *made], now, has_room=is_short), finder.attempt_ends_at)
    return Made([*unreachable, *(MatchFound(**match_fields(match)) for match in made)], is_short)


def _next_look(offers: Iterable[Match], now: datetime, *, has_room: bool) -> datetime:
    """Return when the search looks again within its attempt: for more drivers, or for a receipt that is overdue."""
    if has_room and settings.MATCH_WINDOW:
        return now  # it takes part in the next window
    again: datetime = now + (settings.MATCH_SEARCH_INTERVAL if has_room else settings.MATCH_RESPONSE_TIMEOUT)
    awaited = (offer.receipt_due_at for offer in offers if offer.status in OPEN_MATCH and offer.receipt_due_at)
    return min([again, *(due for due in awaited if due > now)])


def _end(finder: Finder, status: FinderStatus, now: datetime) -> None:
    """Close a search, and notify its passenger."""
    reason = {"reason": "no_driver"} if status == FinderStatus.NO_DRIVER else {}
    ended = FinderUpdated(user_id=finder.passenger_id, is_active=False, **reason)  # type: ignore[arg-type]
    emit(*_close(finder, status, now), ended)


def _close(finder: Finder, status: FinderStatus, now: datetime) -> list[Event]:
    """Close a search and its open offers; return the events of the offers."""
    finder.status, finder.ended_at = status, now
    update_row(finder, "status", "ended_at")
    return [*matches_close(Match.objects.filter(finder=finder), "cancelled", now)]


_OPEN = PreparedObjects(UUID, build=lambda pk: Finder.objects.filter(passenger=pk, status=FinderStatus.OPEN).order_by())
