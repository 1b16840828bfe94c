"""What a ride costs: pure functions from terms and a drive to lines of money. Money is whole rupiah.

Every part is computed exactly; the running sum is rounded (half up) line by line, so that the lines add up to the
total and nothing is rounded twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import msgspec

DISTANCE_STEP = Decimal("0.000000001")
"""The ledger's resolution in kilometres: a micrometre, so fine that rounding to it never moves a price."""


class Surcharge(msgspec.Struct, frozen=True):
    """An amount that is added to every ride, with its name."""

    label: str
    amount: int


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a tariff says, in rupiah; a ride keeps those of its booking.

    `minimum_fare` is what the first `minimum_km` cost, however much of them was driven. A counted unit (`unit_fare`) is
    `counted_km` of driving or `counted_s` of standing or crawling, in any mixture; one that has begun is charged.
    Slower than `slow_kmh` is waiting. `booked_km` is what the ledger books at a time while the ride runs.
    """

    booked_km: Decimal
    per_km: int = 0
    base_fare: int = 0
    minimum_fare: int = 0
    minimum_km: Decimal = Decimal(0)
    per_minute: int = 0
    per_waiting_minute: int = 0
    free_waiting_minutes: int = 0
    unit_fare: int = 0
    counted_km: Decimal = Decimal(0)
    counted_s: int = 0
    slow_kmh: float = 3.0
    surge: Decimal = Decimal(1)
    surcharges: tuple[Surcharge, ...] = ()
    platform_fee: int = 0
    rounding: int = 1


class Drive(msgspec.Struct, frozen=True):
    """What was driven: kilometres, those of them that were not slow, and seconds that the vehicle moved and waited."""

    km: Decimal
    fast_km: Decimal = Decimal(0)
    moving_s: float = 0.0
    waiting_s: float = 0.0


class Line(msgspec.Struct, frozen=True):
    """One line of a receipt or a quote."""

    label: str
    amount: int


class Booking(msgspec.Struct, frozen=True):
    """One line of the ledger."""

    distance_km: Decimal
    cost: int


class Shares(msgspec.Struct, frozen=True):
    """A fare after adjustment, and who gets it."""

    adjusted_cost: int
    admin_fee: int
    driver_payout: int


def price_lines(terms: Terms, drive: Drive) -> list[Line]:
    """Return what each part of a drive costs; the amounts add up to the fare."""
    lines: list[Line] = []
    exact, charged = Fraction(0), 0
    for label, amount in _parts(terms, drive):
        exact += amount
        lines.append(Line(label, round_half_up(exact) - charged))
        charged += lines[-1].amount
    rounded = round_half_up(exact / terms.rounding) * terms.rounding
    if rounded != charged:
        lines.append(Line(f"Rounded to {terms.rounding}", rounded - charged))
    return lines


def price(terms: Terms, drive: Drive) -> int:
    """Return the fare of a drive."""
    return sum(line.amount for line in price_lines(terms, drive))


def full_units(terms: Terms, tracked_km: float, booked_km: Decimal, booked_cost: int) -> list[Booking]:
    """Return the bookings of the distance units that have filled up since `booked_km` was booked.

    Time is not in them: the last booking of a ride, at arrival, brings them to the fare.
    """
    bookings = []
    while booked_km + terms.booked_km <= Decimal(tracked_km):
        booked_km += terms.booked_km
        cost = math.floor(sum(amount for _, amount in _parts(terms, Drive(booked_km, booked_km)))) - booked_cost
        bookings.append(Booking(terms.booked_km, cost))
        booked_cost += cost
    return bookings


def billed_distance(tracked_km: float) -> Decimal:
    """Return a distance in the resolution of the ledger."""
    return Decimal(tracked_km).quantize(DISTANCE_STEP, rounding=ROUND_HALF_UP)


def share(total_cost: int, factor: Decimal, fee_percent: Decimal) -> Shares:
    """Return the fare after the driver's adjustment (0 to 1), the operator's fee and the driver's payout.

    Both products are cut to whole rupiah; what the fee leaves is the driver's.
    """
    adjusted = math.floor(Fraction(factor) * total_cost)
    fee = math.floor(Fraction(fee_percent) * adjusted / 100)
    return Shares(adjusted, fee, adjusted - fee)


def round_half_up(amount: Fraction) -> int:
    """Return the nearest whole number, the larger one of two that are equally near."""
    return math.floor(amount + Fraction(1, 2))


def _parts(terms: Terms, drive: Drive) -> Iterator[tuple[str, Fraction]]:
    """Yield each part's name and exact amount, those that cost nothing left out."""
    metered = Fraction(0)
    for label, amount in _metered(terms, drive):
        metered += amount
        if amount:
            yield label, amount
    if terms.surge != 1 and metered:
        yield f"High demand, times {terms.surge.normalize():f}", metered * (Fraction(terms.surge) - 1)
    for surcharge in terms.surcharges:
        yield surcharge.label, Fraction(surcharge.amount)
    if terms.platform_fee:
        yield "Platform fee", Fraction(terms.platform_fee)


def _metered(terms: Terms, drive: Drive) -> Iterator[tuple[str, Fraction]]:
    beyond = max(Fraction(0), Fraction(drive.km) - Fraction(terms.minimum_km))
    moving, waiting = Fraction(drive.moving_s) / 60, Fraction(drive.waiting_s) / 60
    paid_waiting = max(Fraction(0), waiting - terms.free_waiting_minutes)
    yield "Base fare", Fraction(terms.base_fare)
    yield f"First {terms.minimum_km.normalize():f} km", Fraction(terms.minimum_fare)
    yield f"{float(beyond):.3f} km at {terms.per_km}", beyond * terms.per_km
    yield f"{float(moving):.1f} minutes of driving at {terms.per_minute}", moving * terms.per_minute
    yield (
        f"{float(paid_waiting):.1f} minutes of waiting at {terms.per_waiting_minute}",
        (paid_waiting * terms.per_waiting_minute),
    )
    units = _counted(terms, drive)
    yield f"{units} units at {terms.unit_fare}", Fraction(units * terms.unit_fare)


def _counted(terms: Terms, drive: Drive) -> int:
    if not terms.unit_fare:
        return 0
    by_distance = Fraction(drive.fast_km) / Fraction(terms.counted_km) if terms.counted_km else Fraction(0)
    waiting_s = max(0.0, drive.waiting_s - 60 * terms.free_waiting_minutes)
    by_time = Fraction(waiting_s) / terms.counted_s if terms.counted_s else Fraction(0)
    return math.ceil(by_distance + by_time)
