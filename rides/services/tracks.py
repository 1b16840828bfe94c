"""The track of a ride, and what it books."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from rides.fares.meter import TrackReport, TrackState, advance, recompute, refusal
from rides.fares.tariff import Booking, Tariff, full_units, remainder
from rides.geo import GeoPoint
from rides.models import LedgerEntry, Ride, RideStatus, TrackPoint


class ReceivedReport(msgspec.Struct, frozen=True):
    """A report and the server's time at which it came in."""

    report: TrackReport
    received_at: datetime


@transaction.atomic
def tracks_record(*, reports: Mapping[UUID, Sequence[ReceivedReport]]) -> None:
    """Keep the reports of rides that are under way, and book the distance units that they fill up.

    Reports for a ride that is not under way (any more) are dropped. It takes a few queries, for however many rides.
    """
    points: list[TrackPoint] = []
    bookings: list[LedgerEntry] = []
    rides = list(_under_way(reports))
    starts = TrackPoint.objects.in_bulk([ride.last_point_id for ride in rides])
    now = timezone.now()
    for ride in rides:
        state = _state(ride, starts[ride.last_point_id])
        for received in reports[ride.pk]:
            reason = refusal(state, received.report, received.received_at)
            points.append(_point(ride, received.report, reason))
            if not reason:
                state = advance(state, received.report)
        ride.tracked_km = state.total_km
        bookings += _book(ride, full_units(_tariff(ride), ride.tracked_km, ride.distance_km), now)
    TrackPoint.objects.bulk_create(points)
    LedgerEntry.objects.bulk_create(bookings)
    Ride.objects.bulk_update(rides, ["tracked_km"])
    Ride.objects.bulk_update({entry.ride for entry in bookings}, ["distance_km", "total_cost"])


def book_remainder(ride: Ride, now: datetime) -> None:
    """Book what is left of a ride's distance, within the caller's transaction; the caller saves the ride."""
    last = remainder(_tariff(ride), ride.tracked_km, ride.distance_km)
    if last is not None:
        LedgerEntry.objects.bulk_create(_book(ride, [last], now))


def ledger_recompute(ride: Ride) -> list[Booking]:
    """Return the ledger that a ride's kept points give; of a ride that has ended it equals the one that was booked."""
    points = TrackPoint.objects.filter(ride=ride, accepted=True).order_by("id")
    kept = points.values_list("latitude", "longitude", "timestamp")
    reports = [TrackReport(GeoPoint(latitude, longitude), timestamp) for latitude, longitude, timestamp in kept]
    return recompute(_tariff(ride), reports[0], reports[1:]) if reports else []


def _tariff(ride: Ride) -> Tariff:
    return Tariff(ride.rate_per_km, ride.unit_km)


def _under_way(ride_ids: Iterable[UUID]) -> QuerySet[Any]:
    """Return those of the rides that are under way, locked, each with the number of its last point that counts."""
    counted = TrackPoint.objects.filter(ride=OuterRef("pk"), accepted=True).order_by("-id").values("id")
    rides = Ride.objects.select_for_update(of=("self",)).filter(pk__in=list(ride_ids), status=RideStatus.ONGOING)
    return rides.order_by("pk").annotate(last_point_id=Subquery(counted[:1]))


def _state(ride: Ride, last: TrackPoint) -> TrackState:
    assert ride.started_at is not None
    place = GeoPoint(last.latitude, last.longitude)
    return TrackState(ride.started_at, place, last.timestamp, ride.tracked_km)


def _book(ride: Ride, bookings: Iterable[Booking], now: datetime) -> list[LedgerEntry]:
    """Add bookings to a ride, and return their entries; the caller saves both."""
    entries = [LedgerEntry(ride=ride, distance_km=b.distance_km, cost=b.cost, created_at=now) for b in bookings]
    ride.distance_km += sum((entry.distance_km for entry in entries), Decimal(0))
    ride.total_cost += sum(entry.cost for entry in entries)
    return entries


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
