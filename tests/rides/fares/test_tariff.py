"""What rides cost, to the rupiah: the default, and three regimes of the world against what their rules say."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rides.fares.tariff import (
    Booking,
    Drive,
    Surcharge,
    Terms,
    billed_distance,
    full_units,
    price,
    price_lines,
    round_half_up,
    share,
)

DEFAULT = Terms(booked_km=Decimal(1), per_km=3000)
KM = st.floats(0, 300)
MINUTES = st.floats(0, 600)


def driven(km: float, **seconds: float) -> Drive:
    return Drive(billed_distance(km), billed_distance(km), **seconds)


@pytest.mark.parametrize(
    ("kilometres", "costs"),
    [
        (0.0, 0),
        (0.0001, 0),
        (0.25, 750),
        (2.9999999999, 9000),
        (3.0001666, 9000),
        (3.0001667, 9001),
        (7.123456, 21370),
    ],
)
def test_the_default_costs_the_distance_rounded_once(kilometres: float, costs: int) -> None:
    assert price(DEFAULT, driven(kilometres, moving_s=5000, waiting_s=9000)) == costs


def test_half_a_rupiah_is_rounded_up() -> None:
    assert price(Terms(booked_km=Decimal(1), per_km=5), driven(0.5)) == 3
    assert price(Terms(booked_km=Decimal(1), per_km=5), driven(0.499999)) == 2


def test_units_that_do_not_cost_whole_rupiah_are_never_rounded_twice() -> None:
    terms = Terms(booked_km=Decimal("0.5"), per_km=3333)
    assert [unit.cost for unit in full_units(terms, 1.75, Decimal(0), 0)] == [1666, 1667, 1666]


@given(KM, st.lists(st.floats(0, 1), max_size=6))
def test_units_are_booked_the_same_on_the_way_or_all_at_once(kilometres: float, stops: list[float]) -> None:
    booked: list[Booking] = []
    for stop in [*sorted(stops), 1.0]:
        done, cost = sum((b.distance_km for b in booked), Decimal(0)), sum(b.cost for b in booked)
        booked += full_units(DEFAULT, kilometres * stop, done, cost)
    assert booked == full_units(DEFAULT, kilometres, Decimal(0), 0)


TERMS = st.builds(
    Terms,
    booked_km=st.just(Decimal(1)),
    base_fare=st.integers(0, 50_000),
    minimum_fare=st.integers(0, 50_000),
    minimum_km=st.decimals(0, 10, places=3),
    per_km=st.integers(0, 100_000),
    per_minute=st.integers(0, 1000),
    per_waiting_minute=st.integers(0, 1000),
    free_waiting_minutes=st.integers(0, 10),
    unit_fare=st.integers(0, 1000),
    counted_km=st.decimals("0.1", 1, places=6),
    counted_s=st.integers(1, 900),
    surge=st.decimals(1, 3, places=2),
    surcharges=st.lists(st.builds(Surcharge, label=st.just("Night"), amount=st.integers(0, 9999)), max_size=2).map(
        tuple
    ),
    platform_fee=st.integers(0, 5000),
    rounding=st.sampled_from((1, 100, 500)),
)


@given(TERMS, KM, MINUTES, MINUTES)
def test_the_lines_add_up_to_a_fare_that_grows_with_the_drive(
    terms: Terms, km: float, moving: float, waiting: float
) -> None:
    lines = price_lines(terms, driven(km, moving_s=moving * 60, waiting_s=waiting * 60))
    total = sum(line.amount for line in lines)
    assert total % terms.rounding == 0
    assert all(line.amount >= 0 for line in lines if not line.label.startswith("Rounded"))
    assert total <= price(terms, driven(km + 1, moving_s=moving * 60 + 60, waiting_s=waiting * 60 + 60))


def test_the_lines_say_what_each_rupiah_is_for() -> None:
    terms = Terms(
        booked_km=Decimal(1),
        base_fare=5000,
        minimum_fare=10_200,
        minimum_km=Decimal(4),
        per_km=2550,
        per_minute=100,
        per_waiting_minute=300,
        free_waiting_minutes=5,
        surge=Decimal("1.2"),
        surcharges=(Surcharge("Night", 2000),),
        platform_fee=1000,
        rounding=500,
    )
    lines = price_lines(terms, driven(6.5, moving_s=600, waiting_s=600))
    assert [(line.label, line.amount) for line in lines] == [
        ("Base fare", 5000),
        ("First 4 km", 10_200),
        ("2.500 km at 2550", 6375),
        ("10.0 minutes of driving at 100", 1000),
        ("5.0 minutes of waiting at 300", 1500),
        ("High demand, times 1.2", 4815),
        ("Night", 2000),
        ("Platform fee", 1000),
        ("Rounded to 500", 110),
    ]


@pytest.mark.parametrize(("km", "cost"), [(0, 10_200), (3.9, 10_200), (4, 10_200), (5, 12_750), (10, 25_500)])
def test_jakartas_motorcycles_at_the_lower_bound(km: float, cost: int) -> None:
    """KP 667/2022, zone II: 2,550 rupiah a kilometre, the first 4 km from 10,200."""
    terms = Terms(booked_km=Decimal(1), minimum_fare=10_200, minimum_km=Decimal(4), per_km=2550)
    assert price(terms, driven(km)) == cost


@pytest.mark.parametrize(
    ("km", "waiting_minutes", "night", "rupees"),
    [
        (1.5, 0, False, 36),
        (2, 5, False, 36),
        (3, 0, False, 54),
        (10, 0, False, 180),
        (10, 6, False, 190),
        (10, 20, False, 190),
        (10, 20.1, False, 200),
        (10, 0, True, 270),
    ],
)
def test_bengalurus_rickshaws(km: float, waiting_minutes: float, night: bool, rupees: int) -> None:
    """Of August 2025, in paise: 36 rupees for 2 km, then 18; 10 for each 15 minutes after 5; at night half more."""
    terms = Terms(
        booked_km=Decimal(1),
        minimum_fare=3600,
        minimum_km=Decimal(2),
        per_km=1800,
        unit_fare=1000,
        counted_s=900,
        free_waiting_minutes=5,
        surge=Decimal("1.5") if night else Decimal(1),
    )
    assert price(terms, driven(km, waiting_s=waiting_minutes * 60)) == rupees * 100


@pytest.mark.parametrize(
    ("miles", "slow_minutes", "surcharges", "cents"),
    [
        (5, 0, (), 300 + 25 * 70),
        (5, 5, (), 300 + 30 * 70),
        (0.1, 0.25, (), 300 + 70),  # half a unit and a quarter of one: one that has begun
        (2.05, 3.5, (Surcharge("Overnight", 100),), 300 + 14 * 70 + 100),
    ],
)
def test_new_yorks_taxis(miles: float, slow_minutes: float, surcharges: tuple[Surcharge, ...], cents: int) -> None:
    """Of December 2022: 3 dollars, then 70 cents for each 1/5 mile at 12 mph and more, or each minute below."""
    terms = Terms(
        booked_km=Decimal(1),
        base_fare=300,
        unit_fare=70,
        counted_km=Decimal("0.321869"),
        counted_s=60,
        slow_kmh=19.3121,
        surcharges=surcharges,
    )
    assert price(terms, driven(miles * 1.609344, waiting_s=slow_minutes * 60)) == cents


@pytest.mark.parametrize(
    ("total", "factor", "fee", "shares"),
    [(12_750, "0.9", "5", (11_475, 573, 10_902)), (3333, "0.333", "7.5", (1109, 83, 1026)), (0, "1", "5", (0, 0, 0))],
)
def test_a_fare_is_shared_without_losing_a_rupiah(total: int, factor: str, fee: str, shares: tuple[int, ...]) -> None:
    shared = share(total, Decimal(factor), Decimal(fee))
    assert (shared.adjusted_cost, shared.admin_fee, shared.driver_payout) == shares


def test_round_half_up_takes_the_larger_of_two() -> None:
    assert [round_half_up(Fraction(x)) for x in ("0.5", "1.5", "2.4999")] == [1, 2, 2]
