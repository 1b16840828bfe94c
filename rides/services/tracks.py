"""The track of a ride, and what it books."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from django.db import transaction
from django.utils import timezone

from rides.fares import Booking, Tariff, TrackReport, TrackState, advance, full_units, recompute, refusal, remainder
from rides.geo import GeoPoint
from rides.models import LedgerEntry, Ride, RideStatus, TrackPoint


class ReceivedReport(msgspec.Struct, frozen=True):
    """A report and the server's time at which it came in."""

    report: TrackReport
    received_at: datetime


@transaction.atomic
def track_record(*, ride_id: UUID, reports: Sequence[ReceivedReport]) -> None:
    """Keep the reports of a ride that is under way, and book the distance units that they fill up.

    Reports for a ride that is not under way (any more) are dropped.
    """
    ride = Ride.objects.select_for_update().filter(pk=ride_id, status=RideStatus.ONGOING).first()
    if ride is None:
        return
    state = _state(ride)
    points = []
    for received in reports:
        reason = refusal(state, received.report, received.received_at)
        points.append(_point(ride, received.report, reason))
        if not reason:
            state = advance(state, received.report)
    TrackPoint.objects.bulk_create(points)
    ride.tracked_km = state.total_km
    _book(ride, full_units(_tariff(ride), ride.tracked_km, ride.distance_km), timezone.now())
    ride.save(update_fields=["tracked_km", "distance_km", "total_cost"])


def book_remainder(ride: Ride, now: datetime) -> None:
    """Book what is left of a ride's distance, within the caller's transaction; the caller saves the ride."""
    last = remainder(_tariff(ride), ride.tracked_km, ride.distance_km)
    if last is not None:
        _book(ride, [last], now)


def ledger_recompute(ride: Ride) -> list[Booking]:
    """Return the ledger that a ride's kept points give; of a ride that has ended it equals the one that was booked."""
    points = TrackPoint.objects.filter(ride=ride, accepted=True).order_by("id")
    kept = points.values_list("latitude", "longitude", "timestamp")
    reports = [TrackReport(GeoPoint(latitude, longitude), timestamp) for latitude, longitude, timestamp in kept]
    return recompute(_tariff(ride), reports[0], reports[1:]) if reports else []


def _tariff(ride: Ride) -> Tariff:
    return Tariff(ride.rate_per_km, ride.unit_km)


def _state(ride: Ride) -> TrackState:
    last = TrackPoint.objects.filter(ride=ride, accepted=True).order_by("-id")[0]
    assert ride.started_at is not None
    place = GeoPoint(last.latitude, last.longitude)
    return TrackState(ride.started_at, place, last.timestamp, ride.tracked_km)


def _book(ride: Ride, bookings: Iterable[Booking], now: datetime) -> None:
    bookings = list(bookings)
    LedgerEntry.objects.bulk_create(
        LedgerEntry(ride=ride, distance_km=b.distance_km, cost=b.cost, created_at=now) for b in bookings
    )
    ride.distance_km += sum((b.distance_km for b in bookings), Decimal(0))
    ride.total_cost += sum(b.cost for b in bookings)


def _point(ride: Ride, report: TrackReport, reason: str) -> TrackPoint:
    return TrackPoint(
        ride=ride,
        latitude=report.point.latitude,
        longitude=report.point.longitude,
        timestamp=report.timestamp,
        accuracy=report.accuracy,
        speed=report.speed,
        heading=report.heading,
        accepted=not reason,
        reason=reason,
    )
