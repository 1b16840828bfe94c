"""Reading the domain: the complete state of a user, their rides, and one ride in detail."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Exists, Q, QuerySet

from common import clock
from common.db import read_snapshot
from common.prepared import Prepared, PreparedObjects
from rides.abandonment import abandonment
from rides.models import (
    DRIVEN,
    DRIVER_BUSY,
    OPEN_MATCH,
    PASSENGER_BUSY,
    Beacon,
    Finder,
    FinderStatus,
    LedgerEntry,
    Match,
    Payment,
    PaymentStatus,
    Ride,
    RideStatus,
    TrackPoint,
)
from rides.snapshots import (
    BeaconState,
    FinderState,
    LedgerLine,
    NotCounted,
    OpenMatch,
    ReportedPoint,
    RideDetail,
    RidesState,
    card_fields,
    finder_fields,
    open_match,
    payment_snapshot,
    receipt_lines,
    ride_card,
)
from users.models import Role, User
from users.selectors import history_start

BACKLOG = timedelta(hours=1)
"""How long after a ride its phone may still deliver what it could not send in time."""

WITH_PEOPLE = ("match", "driver", "passenger")
"""What is read together with a ride that is shown to its people."""


class CurrentRide(msgspec.Struct, frozen=True):
    """What the socket of a party must know to handle a position."""

    ride_id: UUID
    other_id: UUID
    status: str
    is_driver: bool
    ended_at: float | None = None
    """When it ended, of a ride whose driver may still deliver positions of it; seconds since 1970."""


class Facts(msgspec.Struct, frozen=True):
    """What there is of a user, by one statement: only what there is need be read."""

    account: tuple[str, int, bool]
    """Role, token version, is active."""

    is_active: bool
    """Whether the beacon, or the search, is on."""

    has_offers: bool
    has_payment: bool
    has_rides: bool

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing but the account."""
        return not (self.is_active or self.has_offers or self.has_payment or self.has_rides)


def user_facts(user_id: UUID, role: str) -> Facts | None:
    """Return what there is of a user, read at one moment; None for nobody."""
    row = _FACTS["driver" if role == Role.DRIVER else "passenger"].first(user_id, clock.now())
    if row is None:
        return None
    account_role, version, is_active, *facts = row
    return Facts((account_role, version, bool(is_active)), *map(bool, facts))


def user_state(user_id: UUID, role: str, facts: Facts | None = None) -> RidesState:
    """Return everything of the domain that a client shows its user, read at one moment.

    `facts` have been read a moment before: where there is nothing, they are the state.
    """
    if facts is not None and facts.is_nothing:
        return _state(role)
    with read_snapshot():
        facts = user_facts(user_id, role)
        if facts is None or facts.is_nothing:
            return _state(role)
        side: Literal["driver", "passenger"] = "driver" if role == Role.DRIVER else "passenger"
        current, last = _newest_rides(user_id, side) if facts.has_rides else (None, None)
        payment = _payment_due(user_id, side) if facts.has_payment else None
        return _state(
            role,
            is_active=facts.is_active,
            finder=_finder(user_id) if facts.is_active and side == "passenger" else None,
            proposals=_open_matches(user_id, side) if facts.has_offers else [],
            ride=ride_card(current, user_id) if current else None,
            payment=payment_snapshot(payment, payment.ride) if payment else None,
            last_ride=ride_card(last, user_id) if last else None,
        )


def _state(role: str, *, is_active: bool = False, finder: FinderState | None = None, **parts: Any) -> RidesState:
    """Return a state with these parts; what is left out is not there."""
    parts = {"proposals": [], "ride": None, "payment": None, "last_ride": None, **parts}
    if role == Role.DRIVER:
        return RidesState(beacon=BeaconState(is_active=is_active), finder=None, **parts)
    return RidesState(beacon=None, finder=finder or FinderState(is_active=False), **parts)


def _facts(side: Literal["driver", "passenger"]) -> Prepared:
    """Return the query for what there is of a user; every subquery begins with an index on the user."""

    def build(user_id: UUID, now: datetime) -> QuerySet[Any, Any]:
        mine = {f"{side}_id": user_id}
        active: QuerySet[Any] = (
            Beacon.objects.filter(**mine, is_active=True)
            if side == "driver"
            else Finder.objects.filter(**mine, status=FinderStatus.OPEN)
        )
        rides = Ride.objects.filter(**mine)
        due = Payment.objects.filter(ride__in=rides.filter(status=RideStatus.ARRIVED))
        return User.objects.filter(pk=user_id).values_list(
            "role",
            "token_version",
            "is_active",
            Exists(active),
            Exists(Match.objects.filter(**mine, status__in=OPEN_MATCH, expires_at__gt=now)),
            Exists(due.exclude(status=PaymentStatus.ACCEPTED)),
            Exists(rides),
        )

    return Prepared(UUID, datetime, build=build)


_FACTS = {"driver": _facts("driver"), "passenger": _facts("passenger")}


def current_ride(user_id: UUID, role: str) -> Ride | None:
    """Return the ride that a user is on: for a passenger until it is paid, for a driver until the arrival."""
    rides = Ride.objects.select_related(*WITH_PEOPLE)
    if role == Role.DRIVER:
        return rides.filter(driver_id=user_id, status__in=DRIVER_BUSY).first()
    return rides.filter(passenger_id=user_id, status__in=PASSENGER_BUSY).first()


def ride_is_abandoned(ride_id: UUID, user_id: UUID) -> bool:
    """Whether a user may leave a ride that is under way."""
    ride = Ride.objects.filter(pk=ride_id, status=RideStatus.ONGOING).first()
    return ride is not None and abandonment(ride, user_id, clock.now()) is not None


def ride_under_way(user_id: UUID) -> CurrentRide | None:
    """Return the ride that a user's positions belong to: the current one, else a driver's that ended lately."""
    row = _UNDER_WAY.first(user_id, user_id)
    if row is None:
        return _ride_just_ended(user_id)
    ride_id, driver_id, passenger_id, status = row
    is_driver = driver_id == user_id
    return CurrentRide(ride_id, passenger_id if is_driver else driver_id, status, is_driver)


def ride_in_state(user_id: UUID, state: RidesState) -> CurrentRide | None:
    """Return what `ride_under_way` would, by a state that was just read; the database is hardly ever asked."""
    ride, last = state.ride, state.last_ride
    if ride is not None and ride.status in DRIVER_BUSY:
        is_driver = ride.driver_id == user_id
        return CurrentRide(ride.ride_id, ride.passenger_id if is_driver else ride.driver_id, ride.status, is_driver)
    if last is None or last.driver_id != user_id:
        return None
    if last.status not in DRIVEN or last.arrived_at is None:  # cancelled: the one before may have ended lately
        return _ride_just_ended(user_id)
    if last.arrived_at < clock.now() - BACKLOG:
        return None
    ended_at = last.arrived_at.timestamp()
    return CurrentRide(last.ride_id, last.passenger_id, last.status, is_driver=True, ended_at=ended_at)


def _ride_just_ended(driver_id: UUID) -> CurrentRide | None:
    row = _JUST_ENDED.first(driver_id, clock.now() - BACKLOG)
    if row is None:
        return None
    ride_id, passenger_id, status, arrived_at = row
    return CurrentRide(ride_id, passenger_id, status, is_driver=True, ended_at=arrived_at.timestamp())


_UNDER_WAY = Prepared(
    UUID,
    UUID,
    build=lambda driver, passenger: (
        Ride.objects.filter(
            Q(driver_id=driver) | Q(passenger_id=passenger), status__in=(RideStatus.PICKUP, RideStatus.ONGOING)
        )
        .order_by("pk")
        .values_list("pk", "driver_id", "passenger_id", "status")[:1]
    ),
)
_JUST_ENDED = Prepared(
    UUID,
    datetime,
    build=lambda driver, since: (
        Ride.objects.filter(driver_id=driver, status__in=DRIVEN, arrived_at__gte=since)
        .order_by("-created_at")
        .values_list("pk", "passenger_id", "status", "arrived_at")[:1]
    ),
)


def passengers_searching(passenger_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the passengers who are looking for a driver."""
    finders = Finder.objects.filter(passenger_id__in=passenger_ids, status=FinderStatus.OPEN)
    return set(finders.values_list("passenger_id", flat=True))


def rides_of(user_id: UUID) -> QuerySet[Ride]:
    """Return the rides of a user, as driver or passenger, newest first; those of an earlier owner are left out."""
    mine = Ride.objects.filter(Q(driver_id=user_id) | Q(passenger_id=user_id), _may_see(user_id))
    return mine.select_related(*WITH_PEOPLE).order_by("-created_at", "pk")


def companions(user_id: UUID) -> set[UUID]:
    """Return everybody with whom a user has had a ride."""
    pairs = Ride.objects.filter(Q(driver_id=user_id) | Q(passenger_id=user_id)).order_by()
    return {other for pair in pairs.values_list("driver_id", "passenger_id") for other in pair} - {user_id}


def _may_see(user_id: UUID) -> Q:
    """Leave out what is over and was ridden before the number had its present owner."""
    return Q(status__in=PASSENGER_BUSY) | Q(created_at__gte=history_start(user_id))


def ride_detail(ride: Ride, user_id: UUID) -> RideDetail:
    """Return a ride as one of its people sees it, with its ledger, receipt and payment."""
    payment = Payment.objects.filter(ride=ride).first()
    receipt = ride.receipt or {}
    return RideDetail(
        **card_fields(ride, user_id),
        ledger=[_ledger_line(entry) for entry in ride.ledger.all()],
        lines=receipt_lines(ride),
        by_quote=receipt.get("by_quote", False),
        not_counted=[NotCounted(**one) for one in receipt.get("not_counted", [])],
        payment=payment_snapshot(payment, ride) if payment else None,
        track_url=f"{settings.PUBLIC_URL}/api/rides/{ride.pk}/track/",
    )


def _ledger_line(entry: LedgerEntry) -> LedgerLine:
    distance = float(entry.distance_km)
    return LedgerLine(entry_id=entry.pk, distance_km=distance, cost=entry.cost, created_at=entry.created_at)


def reported_point(point: TrackPoint) -> ReportedPoint:
    """Return a position of a track as the contract writes it."""
    return ReportedPoint(
        latitude=point.latitude,
        longitude=point.longitude,
        timestamp=point.timestamp,
        accepted=point.accepted,
        reason=point.reason or None,
    )


def _open_matches(user_id: UUID, side: str) -> list[OpenMatch]:
    return [open_match(match, user_id) for match in _OPEN_MATCHES[side].all(user_id, clock.now())]


def _finder(user_id: UUID) -> FinderState | None:
    finder = _OPEN_FINDER.one(user_id)
    return FinderState(**finder_fields(finder)) if finder else None


def _payment_due(user_id: UUID, side: str) -> Payment | None:
    return _PAYMENT_DUE[side].one(user_id)


def _newest_rides(user_id: UUID, side: str) -> tuple[Ride | None, Ride | None]:
    """Return the current ride and the newest other one.

    The current ride is the newest: while there is one, the constraints of `Ride` let no other begin.
    """
    newest: list[Ride | None] = [*_NEWEST_RIDES[side].all(user_id)]
    busy = DRIVER_BUSY if side == "driver" else PASSENGER_BUSY
    if newest and newest[0] is not None and newest[0].status not in busy:
        return None, newest[0]
    current, last = (*newest, None, None)[:2]
    return current, last


def _open_matches_query(side: str) -> PreparedObjects[Match]:
    def build(user_id: UUID, now: datetime) -> QuerySet[Match]:
        waiting = Match.objects.filter(**{f"{side}_id": user_id}, status__in=OPEN_MATCH, expires_at__gt=now)
        return waiting.order_by("created_at")

    return PreparedObjects(UUID, datetime, build=build)


def _newest_rides_query(side: str) -> PreparedObjects[Ride]:
    def build(user_id: UUID) -> QuerySet[Ride]:
        mine = Ride.objects.filter(_may_see(user_id), **{f"{side}_id": user_id})
        return mine.select_related(*WITH_PEOPLE).order_by("-created_at")[:2]

    return PreparedObjects(UUID, build=build)


def _payment_due_query(side: str) -> PreparedObjects[Payment]:
    def build(user_id: UUID) -> QuerySet[Payment]:
        rides = Ride.objects.filter(**{f"{side}_id": user_id}, status=RideStatus.ARRIVED)
        due = Payment.objects.filter(ride__in=rides).exclude(status=PaymentStatus.ACCEPTED)
        return due.select_related("ride").order_by("-created_at")[:1]

    return PreparedObjects(UUID, build=build)


SIDES = ("driver", "passenger")
_OPEN_MATCHES = {side: _open_matches_query(side) for side in SIDES}
_NEWEST_RIDES = {side: _newest_rides_query(side) for side in SIDES}
_PAYMENT_DUE = {side: _payment_due_query(side) for side in SIDES}
_OPEN_FINDER = PreparedObjects(
    UUID, build=lambda user_id: Finder.objects.filter(passenger_id=user_id, status=FinderStatus.OPEN).order_by()
)
