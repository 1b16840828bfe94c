"""From the rows of the database to the data of the contract."""

from __future__ import annotations

from typing import Any

from rides.events import MatchSnapshot, PaymentSnapshot, RideSnapshot
from rides.models import Match, Payment, Ride


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


def match_data(match: Match) -> dict[str, Any]:
    """Return a match as JSON-ready data."""
    return MatchSnapshot(**match_fields(match)).to_data()


def ride_data(ride: Ride) -> dict[str, Any]:
    """Return a ride as JSON-ready data."""
    return RideSnapshot(**ride_fields(ride)).to_data()


def payment_data(payment: Payment, ride: Ride) -> dict[str, Any]:
    """Return a payment as JSON-ready data."""
    return PaymentSnapshot(**payment_fields(payment, ride)).to_data()
