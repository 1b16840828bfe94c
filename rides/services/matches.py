"""Answers to offers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from common import clock
from common.errors import CommonReason, ValidationFailed
from common.prepared import PreparedObjects
from common.rows import insert_rows, update_row
from events.outbox import emit
from rides.events import MatchAccepted, MatchConfirmed, MatchRejected, RidePickup
from rides.fares.terms import find_tariff
from rides.limits import limits_now
from rides.metering import meter
from rides.models import DRIVER_BUSY, OPEN_MATCH, PASSENGER_BUSY, Finder, FinderStatus, Match, MatchStatus, Quote, Ride
from rides.push.base import Wake
from rides.push.sender import wake_up
from rides.reasons import RideReason
from rides.services.approval import require_approval
from rides.services.locking import lock_match
from rides.services.offers import offer_answered, offer_ignored
from rides.services.patience import refuse_restless_driver
from rides.services.pins import pin_make
from rides.snapshots import match_fields, people_of, pickup_fields
from users.models import Driver, User

Reason = Literal["declined", "expired", "taken", "cancelled"]
NOT_YOURS = "There is no such match of yours."
ANSWER = ("answered_at", "received_at", "receipt_due_at")
"""What `offer_answered` changes."""


@transaction.atomic(savepoint=False)
def match_confirm(*, user_id: UUID, match_id: UUID, accepted: bool) -> None:
    """Accept or decline an offer for one side; when both sides have accepted, the ride exists.

    A search with `auto_accept` has accepted for its passenger beforehand.

    Raises `ValidationFailed` for a match that is not the user's, has been decided or has expired, or that the user has
    accepted before, when either side has a current ride, and for a driver who may not drive any more.
    """
    lock_match(match_id, user_id)
    match = _own_match(user_id, match_id)
    now = clock.now()
    _refuse_decided(match, now)
    by_driver = user_id == match.driver_id
    if by_driver:
        offer_answered(match, now)
    if not accepted:
        update_row(match, *ANSWER)
        match_reject(match, "declined", now)
        return
    status = _status_after(match, by_driver=by_driver)
    if by_driver and match.finder.auto_accept:
        status = MatchStatus.ACCEPTED
    if by_driver:
        require_approval(_DRIVER.one(user_id))
        refuse_restless_driver(user_id, now)
        wake_up(match.passenger_id, wake=Wake("match_confirm", match.expires_at), only_away=True)
    if status == MatchStatus.ACCEPTED:
        _accept(match, now)
    else:
        match.status = status
        update_row(match, "status", *ANSWER)
        emit(MatchConfirmed(**match_fields(match)))


def match_reject(match: Match, reason: Reason, now: datetime | None = None) -> bool:
    """Close an open match within the caller's transaction; return False when it was closed already."""
    now = now or clock.now()
    row = Match.objects.filter(pk=match.pk, status__in=OPEN_MATCH)
    if not row.update(status=MatchStatus.REJECTED, reason=reason, decided_at=now):
        return False
    emit(_rejected(match, reason))
    _wake_finders([match.finder_id], now)
    return True


def matches_reject(matches: QuerySet[Match], reason: Reason) -> None:
    """Close all of these matches that are still open, within the caller's transaction, who has locked their people."""
    now = clock.now()
    closed = _open_among(matches)
    emit(*_close(closed, reason, now))
    _wake_finders({match.finder_id for match in closed}, now)


def matches_close(matches: QuerySet[Match], reason: Reason, now: datetime) -> list[MatchRejected]:
    """Do the same for the offers of a search that has ended; return the events, which the caller emits."""
    return _close(_open_among(matches), reason, now)


@transaction.atomic
def match_expire(*, match_id: UUID) -> bool:
    """Close a match whose time is over; return False when it was answered in time after all."""
    lock_match(match_id)
    match = Match.objects.get(pk=match_id)
    if not match_reject(match, "expired"):
        return False
    offer_ignored(match, clock.now())
    return True


def _own_match(user_id: UUID, match_id: UUID) -> Match:
    match = _WITH_FINDER.one(match_id)
    if match is None or user_id not in (match.driver_id, match.passenger_id):
        raise ValidationFailed(NOT_YOURS, reason=CommonReason.NOT_FOUND, field="match_id")
    return match


def _refuse_decided(match: Match, now: datetime) -> None:
    if match.status not in OPEN_MATCH:
        state = match.reason or match.status.lower()
        raise ValidationFailed(
            f"The match has been decided already: {state}.", reason=RideReason.OFFER_DECIDED, field="match_id"
        )
    if match.expires_at <= now:
        raise ValidationFailed("The match has expired.", reason=RideReason.OFFER_EXPIRED, field="match_id")


def _status_after(match: Match, *, by_driver: bool) -> MatchStatus:
    """Return the status after one side's yes."""
    own, other = MatchStatus.PASSENGER_CONFIRMED, MatchStatus.DRIVER_CONFIRMED
    if by_driver:
        own, other = other, own
    if match.status == own:
        raise ValidationFailed(
            "You have accepted this match already.", reason=RideReason.OFFER_ACCEPTED, field="match_id"
        )
    return MatchStatus.ACCEPTED if match.status == other else own


def _accept(match: Match, now: datetime) -> None:
    """Book the ride, and reject all other open matches of both sides."""
    people = _people(match)
    driver, passenger = people.get(match.driver_id), people.get(match.passenger_id)
    if driver is None or passenger is None or not _may_drive(driver):
        raise ValidationFailed(
            "The other side is not available any more.", reason=RideReason.OTHER_SIDE_GONE, field="match_id"
        )
    if driver.is_driving:
        raise ValidationFailed("The driver has a current ride.", reason=RideReason.DRIVER_TAKEN, field="match_id")
    if passenger.is_riding:
        raise ValidationFailed("The passenger has a current ride.", reason=RideReason.PASSENGER_TAKEN, field="match_id")
    ride = _book(match, driver, passenger, now)
    match.status = MatchStatus.ACCEPTED
    match.decided_at = now
    update_row(match, "status", "decided_at", *ANSWER)
    match.finder.status, match.finder.ended_at = FinderStatus.MATCHED, now
    update_row(match.finder, "status", "ended_at")
    rivals = _rivals(match)
    emit(
        MatchAccepted(**match_fields(match), **people_of(ride)),
        *_close(rivals, "taken", now),
        RidePickup(**pickup_fields(ride, match)),
    )
    _wake_finders({rival.finder_id for rival in rivals} - {match.finder_id}, now)


def _people(match: Match) -> dict[UUID, Any]:
    """Return the active ones of both sides, with the vehicle, and whether they have a current ride; one statement."""
    return {user.pk: user for user in _PEOPLE.all(match.driver_id, match.passenger_id)}


def _with_affairs(*user_ids: UUID) -> QuerySet[Any]:
    driving = Ride.objects.filter(driver=OuterRef("pk"), status__in=DRIVER_BUSY)
    riding = Ride.objects.filter(passenger=OuterRef("pk"), status__in=PASSENGER_BUSY)
    people = User.objects.filter(pk__in=user_ids, is_active=True).select_related("driver").order_by()
    return people.annotate(is_driving=Exists(driving), is_riding=Exists(riding))


def _may_drive(user: User) -> bool:
    vehicle = _vehicle(user)
    return vehicle is None or vehicle.may_drive


def _vehicle(user: User) -> Driver | None:
    return getattr(user, "driver", None)


def _book(match: Match, driver: User, passenger: User, now: datetime) -> Ride:
    """Create the ride; the database refuses a second current ride of either side."""
    vehicle = _vehicle(driver)
    vehicle_type = vehicle.vehicle_type if vehicle else ""
    quote_id = match.finder.quote_id
    quote = Quote.objects.select_related("tariff").filter(pk=quote_id).first() if quote_id else None
    tariff = quote.tariff if quote else find_tariff(match.location, vehicle_type, now)
    limits = limits_now(vehicle_type)
    ride = Ride(
        match=match,
        pin=pin_make(),
        vehicle_type=vehicle_type,
        vehicle_plate=vehicle.vehicle_plate if vehicle else "",
        driver=driver,
        passenger=passenger,
        tariff=tariff,
        quote=quote,
        rate_per_km=quote.rate_per_km if quote else settings.PRICING_RATE_PER_KM,
        unit_km=settings.RIDES_MIN_DISTANCE_KM,
        meter_rule=meter.RULE,
        max_accuracy_m=limits.max_accuracy_m,
        max_speed_kmh=limits.max_speed_kmh,
        created_at=now,
    )
    try:
        insert_rows([ride])
    except IntegrityError as exc:  # both sides are locked and free: only what does not lock can get here
        raise ValidationFailed(
            "The match has been decided already.", reason=RideReason.OFFER_DECIDED, field="match_id"
        ) from exc
    return ride


def _rivals(match: Match) -> list[Match]:
    """Return the other open matches of both sides."""
    return _RIVALS.all(match.pk, match.driver_id, match.passenger_id)


def _open_of_both(match_id: UUID, driver_id: UUID, passenger_id: UUID) -> QuerySet[Match]:
    """Begin with each of the two partial indexes (SQLite uses neither for an OR)."""
    others = Match.objects.filter(status__in=OPEN_MATCH).exclude(pk=match_id).order_by()
    of_passenger = others.filter(passenger_id=passenger_id).exclude(driver_id=driver_id)
    return others.filter(driver_id=driver_id).union(of_passenger, all=True)


def _open_among(matches: QuerySet[Match]) -> list[Match]:
    return list(matches.filter(status__in=OPEN_MATCH))


def _close(matches: Collection[Match], reason: Reason, now: datetime) -> list[MatchRejected]:
    """Close matches by one statement, however many they are; return their events."""
    if matches:
        rows = Match.objects.filter(pk__in=[match.pk for match in matches])
        rows.update(status=MatchStatus.REJECTED, reason=reason, decided_at=now)
    return [_rejected(match, reason) for match in matches]


def _rejected(match: Match, reason: Reason) -> MatchRejected:
    return MatchRejected(match_id=match.pk, driver_id=match.driver_id, passenger_id=match.passenger_id, reason=reason)


def _wake_finders(finder_ids: Collection[UUID], now: datetime) -> None:
    """Let searches whose last open offer has been answered begin the next attempt at once."""
    if finder_ids:
        waiting = Match.objects.filter(finder=OuterRef("pk"), status__in=OPEN_MATCH)
        done = Finder.objects.filter(~Exists(waiting), pk__in=finder_ids, status=FinderStatus.OPEN)
        done.update(due_at=now, attempt_ends_at=now)


_WITH_FINDER = PreparedObjects(UUID, build=lambda pk: Match.objects.select_related("finder").filter(pk=pk).order_by())
_DRIVER = PreparedObjects(UUID, build=lambda user_id: Driver.objects.filter(pk=user_id))
_PEOPLE = PreparedObjects(UUID, UUID, build=_with_affairs)
_RIVALS = PreparedObjects(UUID, UUID, UUID, build=_open_of_both)
