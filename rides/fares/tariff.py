"""What a distance costs: pure functions from kilometres to ledger and payment. Money is whole rupiah.

The ledger books the distance in whole units of `RIDES_MIN_DISTANCE_KM` as they fill up, and the rest at arrival. Each
booking costs what has been driven up to there, less what was booked before, and only the last is rounded (half up): so
the sum is the distance times the rate, rounded once.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import msgspec
from django.conf import settings

DISTANCE_STEP = Decimal("0.000000001")
"""The ledger's resolution in kilometres: a micrometre, so fine that rounding to it never moves a price."""


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
