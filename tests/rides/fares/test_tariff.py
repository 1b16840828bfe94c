"""The worked examples of the fare, to the rupiah, and what must hold for every track."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rides.fares.meter import TrackReport, TrackState, advance, recompute, refusal
from rides.fares.tariff import Booking, Tariff, billed_distance, full_units, remainder, round_half_up, share
from tests.cast import MONAS, north_of

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
TARIFF = Tariff(3000, Decimal(1))
STATE = TrackState(START, MONAS, START)


def report(metres: float, seconds: float, accuracy: float | None = None) -> TrackReport:
    return TrackReport(north_of(MONAS, metres), START + timedelta(seconds=seconds), accuracy)


def ledger(kilometres: float, tariff: Tariff = TARIFF) -> list[Booking]:
    units = full_units(tariff, kilometres, Decimal(0))
    last = remainder(tariff, kilometres, sum((unit.distance_km for unit in units), Decimal(0)))
    return [*units, last] if last else units


@pytest.mark.parametrize(
    ("kilometres", "costs"),
    [
        (0.0, []),
        (0.0001, [0]),
        (0.25, [750]),
        (1.0, [3000]),
        (2.5, [3000, 3000, 1500]),
        (2.9999999999, [3000, 3000, 3000]),
        (3.0001666, [3000, 3000, 3000, 0]),
        (3.0001667, [3000, 3000, 3000, 1]),
        (7.123456, [3000] * 7 + [370]),
    ],
)
def test_a_distance_is_booked_by_the_kilometre_and_the_rest_at_the_end(kilometres: float, costs: list[int]) -> None:
    assert [booking.cost for booking in ledger(kilometres)] == costs


def test_half_a_rupiah_is_rounded_up() -> None:
    tariff = Tariff(5, Decimal(1))
    assert [booking.cost for booking in ledger(0.5, tariff)] == [3]
    assert [booking.cost for booking in ledger(0.499999, tariff)] == [2]


def test_units_that_do_not_cost_whole_rupiah_are_rounded_once_in_all() -> None:
    costs = [booking.cost for booking in ledger(1.75, Tariff(3333, Decimal("0.5")))]
    assert costs == [1666, 1667, 1666, 834]
    assert sum(costs) == 5833  # 5832.75, rounded half up


@given(st.floats(0, 300), st.lists(st.floats(0, 1), max_size=6))
def test_booking_on_the_way_or_all_at_once_makes_the_same_ledger(kilometres: float, stops: list[float]) -> None:
    booked: list[Booking] = []
    for stop in [*sorted(stops), 1.0]:
        done = sum((b.distance_km for b in booked), Decimal(0))
        booked += full_units(TARIFF, kilometres * stop, done)
    done = sum((b.distance_km for b in booked), Decimal(0))
    last = remainder(TARIFF, kilometres, done)
    assert [*booked, last][: len(booked) + bool(last)] == ledger(kilometres)


@given(st.floats(0, 300))
def test_the_ledger_adds_up_to_the_distance_and_to_its_price(kilometres: float) -> None:
    entries = ledger(kilometres)
    total = sum((entry.distance_km for entry in entries), Decimal(0))
    assert total == billed_distance(kilometres)
    assert sum(entry.cost for entry in entries) == int((total * 3000).quantize(Decimal(1), rounding="ROUND_HALF_UP"))


@given(st.floats(0, 300), st.integers(0, 100_000), st.decimals("0.1", 20, places=1))
def test_by_any_tariff_the_ledger_is_the_price_rounded_once(kilometres: float, rate: int, unit: Decimal) -> None:
    tariff = Tariff(rate, unit)
    entries = ledger(kilometres, tariff)
    assert sum(entry.cost for entry in entries) == round_half_up(tariff.price(billed_distance(kilometres)))
    assert all(entry.cost >= 0 for entry in entries)
    assert [entry.distance_km for entry in entries[:-1]] == [unit] * (len(entries) - 1)


@pytest.mark.parametrize("seconds", [1, 15, 60])
def test_how_often_the_phone_reports_does_not_matter_on_a_straight_road(seconds: int) -> None:
    track = [report(metres=10 * t, seconds=t) for t in range(seconds, 601, seconds)]
    bookings = recompute(TARIFF, TrackReport(MONAS, START), track)
    assert sum(b.cost for b in bookings) == 18000  # 6 km
    assert [b.cost for b in bookings[:6]] == [3000] * 6 or len(bookings) == 6


def test_a_good_report_counts() -> None:
    good = report(100, 10)
    assert refusal(STATE, good, START + timedelta(seconds=10)) == ""
    assert advance(STATE, good).total_km == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize(
    ("bad", "received_after", "reason"),
    [
        (report(10, 10, accuracy=50.1), 10, "inaccurate"),
        (report(10, -0.001), 10, "before_start"),
        (report(10, 41), 10, "in_the_future"),
        (report(100, 1), 1, "too_fast"),
        (report(1, 0), 0, "too_fast"),
    ],
)
def test_a_bad_report_is_refused_with_its_reason(bad: TrackReport, received_after: float, reason: str) -> None:
    assert refusal(STATE, bad, START + timedelta(seconds=received_after)) == reason


@pytest.mark.parametrize(
    ("good", "received_after"),
    [(report(10, 10, accuracy=50), 10), (report(10, 40), 10), (report(0, 0), 0), (report(55, 1), 1)],
    ids=["just accurate enough", "just within the skew", "the same place at once", "just slow enough"],
)
def test_the_limits_themselves_are_allowed(good: TrackReport, received_after: float) -> None:
    assert refusal(STATE, good, START + timedelta(seconds=received_after)) == ""


def test_a_report_older_than_the_last_one_is_refused() -> None:
    state = advance(STATE, report(100, 10))
    assert refusal(state, report(110, 9), START + timedelta(seconds=12)) == "out_of_order"


def test_speed_does_not_matter_when_its_limit_is_off(settings: Any) -> None:
    settings.RIDES_MAX_SPEED_KMH = Decimal(0)
    assert refusal(STATE, report(5000, 1), START + timedelta(seconds=1)) == ""


@pytest.mark.parametrize(
    ("total", "factor", "adjusted", "fee", "payout"),
    [
        (10000, "1", 10000, 500, 9500),
        (10000, "0.8", 8000, 400, 7600),
        (9999, "0.5", 4999, 249, 4750),
        (7370, "0.1", 737, 36, 701),
        (10, "0.7", 7, 0, 7),
        (3000, "0", 0, 0, 0),
        (10**15, "0.3333333333333333", 333333333333333, 16666666666666, 316666666666667),
    ],
)
def test_adjustment_and_fee_are_cut_to_whole_rupiah(
    total: int, factor: str, adjusted: int, fee: int, payout: int
) -> None:
    shares = share(total, Decimal(factor))
    assert (shares.adjusted_cost, shares.admin_fee, shares.driver_payout) == (adjusted, fee, payout)


@given(st.integers(0, 10**12), st.decimals(0, 1, places=6))
def test_no_rupiah_appears_or_disappears_when_a_fare_is_shared(total: int, factor: Decimal) -> None:
    shares = share(total, factor)
    assert shares.admin_fee + shares.driver_payout == shares.adjusted_cost <= total
