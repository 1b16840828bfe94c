"""What a ride costs: pure functions from reported points to distance, ledger and payment. Money is whole rupiah.

The distance is the sum of the great-circle legs between accepted points. The ledger books it in whole units of
`RIDES_MIN_DISTANCE_KM` as they fill up, and the rest at arrival. Each booking costs what has been driven up to there,
less what was booked before, and only the last is rounded (half up): so the sum does not depend on how often the phone
reports, and is the distance times the rate, rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

import msgspec
from django.conf import settings

from rides.geo import GeoPoint, distance_km

Refusal = Literal["inaccurate", "in_the_future", "before_start", "out_of_order", "too_fast"]
"""Why a reported point does not count for the fare."""

DISTANCE_STEP = Decimal("0.000000001")
"""The ledger's resolution in kilometres: a micrometre, so fine that rounding to it never moves a price."""


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


class Tariff(msgspec.Struct, frozen=True):
    """What a ride costs by the kilometre (rupiah), and in what unit it is booked; a ride keeps that of its booking."""

    rate_per_km: int
    unit_km: Decimal

    def price(self, distance: Decimal) -> Fraction:
        """Return the exact price of a distance in kilometres."""
        return Fraction(distance) * self.rate_per_km


class Booking(msgspec.Struct, frozen=True):
    """One line of the ledger."""

    distance_km: Decimal
    cost: int


class Shares(msgspec.Struct, frozen=True):
    """A fare after adjustment, and who gets it."""

    adjusted_cost: int
    admin_fee: int
    driver_payout: int


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


def current_tariff() -> Tariff:
    """Return the tariff of rides that are booked now."""
    return Tariff(settings.PRICING_RATE_PER_KM, settings.RIDES_MIN_DISTANCE_KM)


def full_units(tariff: Tariff, tracked_km: float, booked_km: Decimal) -> list[Booking]:
    """Return the bookings of the units that have filled up since `booked_km` was booked."""
    unit = tariff.unit_km
    bookings = []
    while booked_km + unit <= Decimal(tracked_km):
        cost = math.floor(tariff.price(booked_km + unit)) - math.floor(tariff.price(booked_km))
        bookings.append(Booking(unit, cost))
        booked_km += unit
    return bookings


def remainder(tariff: Tariff, tracked_km: float, booked_km: Decimal) -> Booking | None:
    """Return the last booking of a ride, or None where nothing is left to book."""
    total = max(billed_distance(tracked_km), booked_km)
    cost = round_half_up(tariff.price(total)) - math.floor(tariff.price(booked_km))
    if total == booked_km and not cost:
        return None
    return Booking(total - booked_km, cost)


def billed_distance(tracked_km: float) -> Decimal:
    """Return a distance in the resolution of the ledger."""
    return Decimal(tracked_km).quantize(DISTANCE_STEP, rounding=ROUND_HALF_UP)


def recompute(tariff: Tariff, started: TrackReport, reports: Iterable[TrackReport]) -> list[Booking]:
    """Return the whole ledger of a ride from its kept, accepted points: the start and what followed."""
    state = TrackState(started.timestamp, started.point, started.timestamp)
    for report in reports:
        state = advance(state, report)
    bookings = full_units(tariff, state.total_km, Decimal(0))
    last = remainder(tariff, state.total_km, sum((b.distance_km for b in bookings), Decimal(0)))
    return [*bookings, last] if last else bookings


def share(total_cost: int, factor: Decimal) -> Shares:
    """Return the fare after the driver's adjustment (0 to 1), the operator's fee and the driver's payout.

    Both products are cut to whole rupiah; what the fee leaves is the driver's.
    """
    adjusted = math.floor(Fraction(factor) * total_cost)
    fee = math.floor(Fraction(settings.PRICING_ADMIN_FEE_PERCENT) * adjusted / 100)
    return Shares(adjusted, fee, adjusted - fee)


def round_half_up(amount: Fraction) -> int:
    """Return the nearest whole number, the larger one of two that are equally near."""
    return math.floor(amount + Fraction(1, 2))


def _is_too_fast(state: TrackState, report: TrackReport) -> bool:
    if not settings.RIDES_MAX_SPEED_KMH:
        return False
    hours = (report.timestamp - state.last_timestamp).total_seconds() / 3600
    return distance_km(state.last_point, report.point) > float(settings.RIDES_MAX_SPEED_KMH) * hours
