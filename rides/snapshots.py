"""From the rows of the database to the data of the contract."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec

from events.base import Moment
from rides.events import Kilometres, MatchSnapshot, PaymentSnapshot, RideSnapshot, Rupiah, VehicleName
from rides.fares.meter import Refusal
from rides.geo import GeoPoint, Latitude, Longitude
from rides.models import Finder, Match, Payment, Ride
from rides.positions import positions

Action = Literal[
    "location_update",
    "token_refresh",
    "sync",
    "beacon_update",
    "finder_update",
    "match_confirm",
    "ride_start",
    "ride_arrived",
    "ride_cancel",
    "payment_process",
]
"""The commands that a client may offer its user."""


class OpenMatch(MatchSnapshot, frozen=True, kw_only=True):
    """An offer that can still be answered."""

    match_status: Literal["PENDING", "DRIVER_CONFIRMED", "PASSENGER_CONFIRMED"]


class BeaconState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a driver wants passengers."""

    is_active: bool


class FinderState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a passenger is looking for a driver, and where."""

    is_active: bool
    location: GeoPoint | None = None
    target_location: GeoPoint | None = None
    vehicle_type: VehicleName | None = None
    auto_accept: bool = False
    quote_id: UUID | None = None


class UserState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a client shows."""

    beacon: BeaconState | None
    finder: FinderState | None
    proposals: list[OpenMatch]
    ride: RideSnapshot | None
    payment: PaymentSnapshot | None
    last_ride: RideSnapshot | None
    allowed_actions: list[Action]


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """A booked part of a ride's distance, and what it costs."""

    entry_id: int
    distance_km: Kilometres
    cost: Rupiah
    created_at: Moment


class ReportedPoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A position that the driver reported during the ride; `reason` says why it does not count for the fare."""

    latitude: Latitude
    longitude: Longitude
    timestamp: Moment
    accepted: bool
    reason: Refusal | None = None


class RideDetail(RideSnapshot, frozen=True, kw_only=True):
    """A ride with what was booked, what is to be paid, and where it went."""

    ledger: list[LedgerLine]
    payment: PaymentSnapshot | None
    track: list[ReportedPoint]


def finder_fields(finder: Finder) -> dict[str, Any]:
    """Return the fields of an open search: of its event, and of the state."""
    return {
        "is_active": True,
        "location": finder.location,
        "target_location": finder.target_location,
        "vehicle_type": finder.vehicle_type or None,
        "auto_accept": finder.auto_accept,
        "quote_id": finder.quote_id,
    }


def match_fields(match: Match) -> dict[str, Any]:
    """Return the fields of an event about a match as it stands."""
    return {
        "match_id": match.pk,
        "driver_id": match.driver_id,
        "passenger_id": match.passenger_id,
        "location": match.location,
        "driver_location": match.driver_location,
        "target_location": match.target_location,
        "match_status": match.status,
        "distance_km": round(match.distance_km, 3),
        "expires_at": match.expires_at,
    }


def ride_fields(ride: Ride) -> dict[str, Any]:
    """Return the fields of an event about a ride as it stands; its match is needed for the two places."""
    return {
        "ride_id": ride.pk,
        "match_id": ride.match_id,
        "driver_id": ride.driver_id,
        "passenger_id": ride.passenger_id,
        "status": ride.status,
        "location": ride.match.location,
        "target_location": ride.match.target_location,
        "distance_km": float(ride.distance_km),
        "total_cost": ride.total_cost,
        "adjustment_factor": ride.adjustment_factor,
        "adjusted_cost": ride.adjusted_cost,
        "created_at": ride.created_at,
        "started_at": ride.started_at,
        "arrived_at": ride.arrived_at,
        "completed_at": ride.completed_at,
    }


def pickup_fields(ride: Ride, match: Match) -> dict[str, Any]:
    """Return the fields of the event that a ride was booked."""
    place = positions().last(match.driver_id)
    return {
        "ride_id": ride.pk,
        "match_id": match.pk,
        "driver_id": match.driver_id,
        "passenger_id": match.passenger_id,
        "driver_location": place.point if place else match.driver_location,
        "timestamp": ride.created_at,
    }


def payment_fields(payment: Payment, ride: Ride) -> dict[str, Any]:
    """Return the fields of an event about a payment as it stands."""
    return {
        "payment_id": payment.pk,
        "ride_id": ride.pk,
        "driver_id": ride.driver_id,
        "passenger_id": ride.passenger_id,
        "status": payment.status,
        "total_cost": payment.total_cost,
        "admin_fee": payment.admin_fee,
        "driver_payout": payment.driver_payout,
        "qr_code_url": payment.qr_code_url,
    }


def open_match(match: Match) -> OpenMatch:
    """Return an offer that can still be answered."""
    return OpenMatch(**match_fields(match))


def ride_snapshot(ride: Ride) -> RideSnapshot:
    """Return a ride as it stands."""
    return RideSnapshot(**ride_fields(ride))


def payment_snapshot(payment: Payment, ride: Ride) -> PaymentSnapshot:
    """Return a payment as it stands."""
    return PaymentSnapshot(**payment_fields(payment, ride))
