"""The track of a ride while it is under way, and what it books meanwhile. `fares` settles the ride at its end.

Each ride keeps the rule by which it is measured: rule 1 for those that were booked before the meter knew of noise
(`metering.first_rule`), rule 2 for all since (`metering.running` on the way, `metering.meter` at the end).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import QuerySet

from common import clock
from common.rows import insert_rows
from rides.fares.tariff import Booking, full_units
from rides.fares.terms import terms_of_ride
from rides.geo import GeoPoint
from rides.limits import limits_of
from rides.metering import first_rule, running
from rides.metering.fixes import Fix
from rides.models import DRIVEN, LedgerEntry, PassengerPoint, ReportedFix, Ride, RideStatus, TrackPoint

FREE_POINTS = 20_000
"""Positions of each phone that a ride keeps beside one a second since its start, so that no phone makes a ride grow
without end: five hours of a phone that reports twice a second, and for ever of one that reports once."""
LATE = "late"
"""Why a fix does not count that came in after its ride had ended."""


class Report(msgspec.Struct, frozen=True):
    """A fix of somebody on a ride, and when it was made, as well as that is known (seconds since 1970)."""

    fix: Fix
    at: float
    by_driver: bool = True


@transaction.atomic
def tracks_record(*, reports: Mapping[UUID, Sequence[Report]]) -> None:
    """Keep the reports of rides, and book the distance units that they fill up.

    Those for a ride that has ended change no price; those for one that has not started or was cancelled are dropped,
    and so are those of a phone that reports more than a ride keeps. It takes a few queries, for however many rides.
    """
    points: list[TrackPoint] = []
    bookings: list[LedgerEntry] = []
    passengers: list[PassengerPoint] = []
    rides = list(_rides(reports))
    now = clock.now()
    for ride in rides:
        own, seen = _within_bounds(ride, reports[ride.pk], now)
        if ride.status != RideStatus.ONGOING:
            points += [_point(ride, report, LATE) for report in own]
            continue
        passengers += [PassengerPoint(ride=ride, **_columns(report.fix)) for report in seen]
        if own:
            points += _advance(ride, own)
            units = full_units(terms_of_ride(ride), ride.tracked_km, ride.distance_km, ride.total_cost)
            bookings += book(ride, units, now)
    insert_rows(points)
    insert_rows(passengers)
    insert_rows(bookings)
    Ride.objects.bulk_update(rides, ["tracked_km", "progress", "kept_points", "kept_passenger_points"])
    Ride.objects.bulk_update({entry.ride for entry in bookings}, ["distance_km", "total_cost"])


def track_begin(ride: Ride, start: Fix, now: datetime) -> None:
    """Begin the track of a ride at the driver's fix, within the caller's transaction; the caller saves the ride."""
    progress, _ = running.advance(running.Progress(), start, limits_of(ride))
    ride.progress = msgspec.json.encode(progress).decode()
    ride.kept_points = 1
    insert_rows([TrackPoint(ride=ride, timestamp=now, accepted=True, **_columns(start))])


def book(ride: Ride, bookings: Iterable[Booking], now: datetime) -> list[LedgerEntry]:
    """Add bookings to a ride, and return their entries; the caller saves both."""
    entries = [LedgerEntry(ride=ride, distance_km=b.distance_km, cost=b.cost, created_at=now) for b in bookings]
    ride.distance_km += sum((entry.distance_km for entry in entries), Decimal(0))
    ride.total_cost += sum(entry.cost for entry in entries)
    return entries


def fix_of(point: ReportedFix) -> Fix:
    """Return what was kept of a fix."""
    assert point.received_at is not None
    return Fix(
        point.latitude,
        point.longitude,
        point.received_at.timestamp(),
        point.phone_time.timestamp() if point.phone_time else None,
        point.connection,
        point.accuracy,
        point.speed,
    )


def _within_bounds(ride: Ride, reports: Sequence[Report], now: datetime) -> tuple[list[Report], list[Report]]:
    """Return the reports of the driver and those of the passenger that the ride keeps, and count them."""
    assert ride.started_at is not None
    most = FREE_POINTS + max(0, int((now - ride.started_at).total_seconds()))
    by_driver = [report for report in reports if report.by_driver][: max(0, most - ride.kept_points)]
    by_passenger = [report for report in reports if not report.by_driver][: max(0, most - ride.kept_passenger_points)]
    ride.kept_points += len(by_driver)
    ride.kept_passenger_points += len(by_passenger)
    return by_driver, by_passenger


def _rides(ride_ids: Iterable[UUID]) -> QuerySet[Ride]:
    """Return those of the rides that have started, locked.

    What else is needed of them is read afterwards: a subquery would look before it has waited for the lock, and not see
    the points of another process.
    """
    started = (RideStatus.ONGOING, *DRIVEN)
    rides = Ride.objects.select_for_update(of=("self",)).filter(pk__in=list(ride_ids), status__in=started)
    return rides.select_related("tariff").order_by("pk")


def _advance(ride: Ride, reports: Sequence[Report]) -> list[TrackPoint]:
    """Bring a ride's running estimate on, and return its new points."""
    if ride.meter_rule == first_rule.RULE:
        return _advance_by_first_rule(ride, reports)
    limits, points = limits_of(ride), []
    progress = msgspec.json.decode(ride.progress or "{}", type=running.Progress)
    for report in reports:
        progress, reason = running.advance(progress, report.fix, limits)
        points.append(_point(ride, report, reason))
    ride.tracked_km = progress.metres / 1000
    ride.progress = msgspec.json.encode(progress).decode()
    return points


def _advance_by_first_rule(ride: Ride, reports: Sequence[Report]) -> list[TrackPoint]:
    assert ride.started_at is not None
    limits, points = limits_of(ride), []
    last = TrackPoint.objects.filter(ride=ride, accepted=True).latest("id")
    place, at = GeoPoint(last.latitude, last.longitude), last.timestamp.timestamp()
    track = first_rule.Track(ride.started_at.timestamp(), place, at, ride.tracked_km)
    for report in reports:
        reason = first_rule.refusal(track, report.fix, limits)
        said = msgspec.structs.replace(report, at=first_rule.when(report.fix))
        points.append(_point(ride, said, reason))
        if not reason:
            track = first_rule.advance(track, report.fix)
    ride.tracked_km = track.km
    return points


def _point(ride: Ride, report: Report, reason: str) -> TrackPoint:
    return TrackPoint(
        ride=ride,
        timestamp=moment(report.at),
        heading=report.fix.heading,
        accepted=not reason,
        reason=reason,
        **_columns(report.fix),
    )


def _columns(fix: Fix) -> dict[str, Any]:
    return {
        "latitude": fix.latitude,
        "longitude": fix.longitude,
        "received_at": moment(fix.received_at),
        "phone_time": None if fix.phone_time is None else moment(fix.phone_time),
        "connection": fix.connection,
        "accuracy": fix.accuracy,
        "speed": fix.speed,
    }


def moment(seconds: float) -> datetime:
    """Return seconds since 1970 as a time; those of a phone may be of any year."""
    return datetime.fromtimestamp(min(max(seconds, EARLIEST), LATEST), UTC)


EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC).timestamp(), datetime(9999, 12, 30, tzinfo=UTC).timestamp()
