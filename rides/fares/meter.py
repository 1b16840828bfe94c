"""How far a ride went: pure functions from reported points to a distance, the sum of the great-circle legs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec
from django.conf import settings

from rides.fares.tariff import Booking, Tariff, full_units, remainder
from rides.geo import GeoPoint, distance_km

Refusal = Literal["inaccurate", "in_the_future", "before_start", "out_of_order", "too_fast"]
"""Why a reported point does not count for the fare."""


class TrackReport(msgspec.Struct, frozen=True):
    """A position as the driver's phone reported it; accuracy in metres, speed in m/s, heading in degrees."""

    point: GeoPoint
    timestamp: datetime
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None


class TrackState(msgspec.Struct, frozen=True):
    """How far a ride's track has come: when it began, the last accepted point, and the sum of its legs."""

    started_at: datetime
    last_point: GeoPoint
    last_timestamp: datetime
    total_km: float = 0.0


def refusal(state: TrackState, report: TrackReport, received_at: datetime) -> Refusal | Literal[""]:
    """Return why a report does not count for the fare, or an empty string when it does.

    `received_at` is the server's clock when the report came in.
    """
    if report.accuracy is not None and report.accuracy > settings.RIDES_MAX_ACCURACY_M:
        return "inaccurate"
    if report.timestamp > received_at + settings.RIDES_MAX_CLOCK_SKEW:
        return "in_the_future"
    if report.timestamp < state.started_at:
        return "before_start"
    if report.timestamp < state.last_timestamp:
        return "out_of_order"
    return "too_fast" if _is_too_fast(state, report) else ""


def advance(state: TrackState, report: TrackReport) -> TrackState:
    """Return the state after an accepted report."""
    leg = distance_km(state.last_point, report.point)
    return TrackState(state.started_at, report.point, report.timestamp, state.total_km + leg)


def recompute(tariff: Tariff, started: TrackReport, reports: Iterable[TrackReport]) -> list[Booking]:
    """Return the whole ledger of a ride from its kept, accepted points: the start and what followed."""
    state = TrackState(started.timestamp, started.point, started.timestamp)
    for report in reports:
        state = advance(state, report)
    bookings = full_units(tariff, state.total_km, Decimal(0))
    last = remainder(tariff, state.total_km, sum((b.distance_km for b in bookings), Decimal(0)))
    return [*bookings, last] if last else bookings


def _is_too_fast(state: TrackState, report: TrackReport) -> bool:
    if not settings.RIDES_MAX_SPEED_KMH:
        return False
    hours = (report.timestamp - state.last_timestamp).total_seconds() / 3600
    return distance_km(state.last_point, report.point) > float(settings.RIDES_MAX_SPEED_KMH) * hours
