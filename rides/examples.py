"""One ride for the examples of the documents: Dewi drives Putri."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from rides.events import PaymentSnapshot, RideSnapshot
from rides.geo import GeoPoint
from rides.snapshots import LedgerLine, ReportedPoint, RideDetail

DEWI, PUTRI, MATCH, RIDE, PAYMENT, CONNECTION = (
    UUID(int=0x0199_0000_0000_7000_8000_0000_0000_0000 + number) for number in range(1, 7)
)
PICK_UP, TARGET, DRIVER = GeoPoint(-6.1754, 106.8272), GeoPoint(-6.2, 106.83), GeoPoint(-6.1768, 106.8261)
BOOKED = datetime(2026, 1, 31, 12, 0, 8, tzinfo=UTC)
STARTED, ARRIVED, PAID = (BOOKED + timedelta(seconds=seconds) for seconds in (130, 610, 640))


def match_values(status: str) -> dict[str, Any]:
    """Return the fields of the match at a stage."""
    return {
        "match_id": MATCH,
        "driver_id": DEWI,
        "passenger_id": PUTRI,
        "location": PICK_UP,
        "driver_location": DRIVER,
        "target_location": TARGET,
        "match_status": status,
        "distance_km": 0.197,
        "expires_at": BOOKED + timedelta(seconds=25),
    }


def ride_values(status: str) -> dict[str, Any]:
    """Return the fields of the ride at a stage."""
    stage = ("PICKUP", "ONGOING", "ARRIVED", "COMPLETED").index(status)
    return {
        "ride_id": RIDE,
        "match_id": MATCH,
        "driver_id": DEWI,
        "passenger_id": PUTRI,
        "status": status,
        "location": PICK_UP,
        "target_location": TARGET,
        "distance_km": 4.25 if stage > 1 else 0.0,
        "total_cost": 12_750 if stage > 1 else 0,
        "adjustment_factor": 0.9 if stage > 1 else 1.0,
        "adjusted_cost": 11_475 if stage > 1 else 0,
        "created_at": BOOKED,
        "started_at": STARTED if stage else None,
        "arrived_at": ARRIVED if stage > 1 else None,
        "completed_at": PAID if stage > 2 else None,
    }


def payment_values(status: str) -> dict[str, Any]:
    """Return the fields of the payment at a stage."""
    return {
        "payment_id": PAYMENT,
        "ride_id": RIDE,
        "driver_id": DEWI,
        "passenger_id": PUTRI,
        "status": status,
        "total_cost": 11_475,
        "admin_fee": 573,
        "driver_payout": 10_902,
        "qr_code_url": f"http://127.0.0.1:8000/api/payments/{PAYMENT}/qr.svg",
    }


def ride_example() -> dict[str, Any]:
    """Return the ride at its end."""
    return RideSnapshot(**ride_values("COMPLETED")).to_data()


def ride_detail_example() -> dict[str, Any]:
    """Return the ride at its end in detail."""
    units = [LedgerLine(entry_id=n, distance_km=1, cost=3000, created_at=ARRIVED) for n in range(1, 5)]
    rest = LedgerLine(entry_id=5, distance_km=0.25, cost=750, created_at=ARRIVED)
    soon = STARTED + timedelta(seconds=2)
    return RideDetail(
        **ride_values("COMPLETED"),
        ledger=[*units, rest],
        payment=PaymentSnapshot(**payment_values("ACCEPTED")),
        track=[
            ReportedPoint(latitude=-6.1754, longitude=106.8272, timestamp=STARTED, accepted=True),
            ReportedPoint(latitude=-6.3, longitude=106.9, timestamp=soon, accepted=False, reason="too_fast"),
            ReportedPoint(latitude=-6.2, longitude=106.83, timestamp=ARRIVED, accepted=True),
        ],
    ).to_data()
