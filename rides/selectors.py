"""Reading the domain: the complete state of a user, their rides, and one ride in detail."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast
from uuid import UUID

import msgspec
from django.db.models import Q, QuerySet
from django.utils import timezone

from common.db import read_snapshot
from rides.fares.meter import Refusal
from rides.models import (
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
    ReportedPoint,
    RideDetail,
    RidesState,
    finder_fields,
    open_match,
    payment_snapshot,
    people_of,
    ride_card,
    ride_fields,
)
from users.models import Role

WITH_PEOPLE = ("match", "driver", "passenger")
"""What is read together with a ride that is shown to its people."""


class CurrentRide(msgspec.Struct, frozen=True):
    """What the socket of a party must know to handle a position."""

    ride_id: UUID
    other_id: UUID
    status: str
    is_driver: bool


def user_state(user_id: UUID, role: str) -> RidesState:
    """Return everything of the domain that a client shows its user, read at one moment."""
    with read_snapshot():
        mine = Q(driver_id=user_id) if role == Role.DRIVER else Q(passenger_id=user_id)
        waiting = Match.objects.filter(mine, status__in=OPEN_MATCH, expires_at__gt=timezone.now())
        proposals = [open_match(match, user_id) for match in waiting.order_by("created_at")]
        ride = current_ride(user_id, role)
        payment = _payment_due(mine)
        last = _last_ride(mine, ride)
        return RidesState(
            beacon=_beacon(user_id) if role == Role.DRIVER else None,
            finder=_finder(user_id) if role == Role.PASSENGER else None,
            proposals=proposals,
            ride=ride_card(ride) if ride else None,
            payment=payment_snapshot(payment, payment.ride) if payment else None,
            last_ride=ride_card(last) if last else None,
        )


def current_ride(user_id: UUID, role: str) -> Ride | None:
    """Return the ride that a user is on: for a passenger until it is paid, for a driver until the arrival."""
    rides = Ride.objects.select_related(*WITH_PEOPLE)
    if role == Role.DRIVER:
        return rides.filter(driver_id=user_id, status__in=DRIVER_BUSY).first()
    return rides.filter(passenger_id=user_id, status__in=PASSENGER_BUSY).first()


def ride_under_way(user_id: UUID) -> CurrentRide | None:
    """Return the ride in which both parties hear of each other's positions, where there is one."""
    ride = Ride.objects.filter(
        Q(driver_id=user_id) | Q(passenger_id=user_id), status__in=(RideStatus.PICKUP, RideStatus.ONGOING)
    ).first()
    if ride is None:
        return None
    is_driver = ride.driver_id == user_id
    other = ride.passenger_id if is_driver else ride.driver_id
    return CurrentRide(ride.pk, other, ride.status, is_driver)


def passengers_searching(passenger_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the passengers who are looking for a driver."""
    finders = Finder.objects.filter(passenger_id__in=passenger_ids, status=FinderStatus.OPEN)
    return set(finders.values_list("passenger_id", flat=True))


def rides_of(user_id: UUID) -> QuerySet[Ride]:
    """Return all rides of a user, as driver or passenger, newest first."""
    mine = Ride.objects.filter(Q(driver_id=user_id) | Q(passenger_id=user_id))
    return mine.select_related(*WITH_PEOPLE).order_by("-created_at", "pk")


def ride_detail(ride: Ride) -> RideDetail:
    """Return a ride with its ledger, payment and track."""
    payment = Payment.objects.filter(ride=ride).first()
    return RideDetail(
        **ride_fields(ride),
        **people_of(ride),
        ledger=[_ledger_line(entry) for entry in ride.ledger.all()],
        payment=payment_snapshot(payment, ride) if payment else None,
        track=[_reported_point(point) for point in ride.track.all()],
    )


def _ledger_line(entry: LedgerEntry) -> LedgerLine:
    distance = float(entry.distance_km)
    return LedgerLine(entry_id=entry.pk, distance_km=distance, cost=entry.cost, created_at=entry.created_at)


def _reported_point(point: TrackPoint) -> ReportedPoint:
    reason = cast("Refusal | None", point.reason or None)
    return ReportedPoint(
        latitude=point.latitude,
        longitude=point.longitude,
        timestamp=point.timestamp,
        accepted=point.accepted,
        reason=reason,
    )


def _beacon(user_id: UUID) -> BeaconState:
    return BeaconState(is_active=Beacon.objects.filter(driver_id=user_id, is_active=True).exists())


def _finder(user_id: UUID) -> FinderState:
    finder = Finder.objects.filter(passenger_id=user_id, status=FinderStatus.OPEN).first()
    if finder is None:
        return FinderState(is_active=False)
    return FinderState(**finder_fields(finder))


def _payment_due(mine: Q) -> Payment | None:
    rides = Ride.objects.filter(mine, status=RideStatus.ARRIVED)
    due = Payment.objects.filter(ride__in=rides).exclude(status=PaymentStatus.ACCEPTED)
    return due.select_related("ride").order_by("-created_at").first()


def _last_ride(mine: Q, current: Ride | None) -> Ride | None:
    rides = Ride.objects.filter(mine).select_related(*WITH_PEOPLE).order_by("-created_at")
    return (rides.exclude(pk=current.pk) if current else rides).first()
