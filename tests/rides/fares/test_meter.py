"""What a whole track costs, however its reports come in: often or seldom, late, twice, by a wrong clock."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from django.utils import timezone
from hypothesis import assume, given
from hypothesis import strategies as st

from rides.fares.meter import TrackReport, TrackState, advance, recompute, refusal
from rides.fares.tariff import Tariff, full_units, remainder
from rides.geo import GeoPoint, distance_km
from rides.services.rides import ride_arrived
from rides.services.tracks import ReceivedReport, tracks_record
from tests.cast import MONAS, backdate, north_of, start
from users.models import User

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
TARIFF = Tariff(3000, Decimal(1))
PACE = 10.0  # metres a second
MINUTE = 60.0


class Sent(msgspec.Struct, frozen=True):
    """A report and how many seconds after the start it came in."""

    report: TrackReport
    at: float


def sent(metres: float, at: float, clock: float = 0, delay: float = 0) -> Sent:
    """A report of a place `at` seconds after the start, by a clock that is wrong, which comes in later."""
    said = START + timedelta(seconds=at + clock)
    return Sent(TrackReport(north_of(MONAS, metres), said, 5.0), at + delay)


def bill(reports: Sequence[Sent]) -> tuple[int, list[str]]:
    """What a ride costs whose reports come in in this order, booked one by one, and why each was refused."""
    state = TrackState(START, MONAS, START)
    refusals: list[str] = []
    bookings, booked = [], Decimal(0)
    accepted = []
    for item in reports:
        reason = refusal(state, item.report, START + timedelta(seconds=item.at))
        refusals.append(reason)
        if not reason:
            accepted.append(item.report)
            state = advance(state, item.report)
            units = full_units(TARIFF, state.total_km, booked)
            bookings += units
            booked += sum((unit.distance_km for unit in units), Decimal(0))
    last = remainder(TARIFF, state.total_km, booked)
    bookings += [last] if last else []
    assert bookings == recompute(TARIFF, TrackReport(MONAS, START), accepted)
    return sum(booking.cost for booking in bookings), refusals


def straight(metres: float, every: float) -> list[Sent]:
    """A straight ride at `PACE`, reported every so many metres, and at its end."""
    stops = [every * n for n in range(1, math.ceil(metres / every))]
    return [sent(stop, stop / PACE) for stop in [*stops, metres]]


def price(metres: float) -> int:
    """What a straight ride of this length must cost."""
    return round(metres * 3)


@pytest.mark.parametrize("metres", [0.4, 999.9, 1000, 5000, 12_345, 40_000])
def test_reported_every_second_every_15_seconds_or_every_2_km_it_costs_the_same(metres: float) -> None:
    bills = {bill(straight(metres, every))[0] for every in (PACE, 15 * PACE, 2000)}
    assert max(bills) - min(bills) <= 1
    assert abs(bills.pop() - price(metres)) <= 1


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=40), st.floats(1, 30_000), st.data())
def test_splitting_delaying_and_doubling_reports_of_a_straight_ride_moves_its_price_by_rounding_only(
    shares: list[float], metres: float, data: st.DataObject
) -> None:
    total = sum(shares)
    stops = [metres * sum(shares[: n + 1]) / total for n in range(len(shares))]
    delays = data.draw(st.lists(st.floats(0, 3600), min_size=len(stops), max_size=len(stops)))
    copies = data.draw(st.lists(st.integers(1, 3), min_size=len(stops), max_size=len(stops)))
    reports = [
        sent(stop, stop / PACE, delay=delay)
        for stop, delay, count in zip(stops, delays, copies, strict=True)
        for _ in range(count)
    ]
    cost, refusals = bill(reports)
    assert set(refusals) == {""}
    assert abs(cost - price(metres)) <= 1


@given(st.lists(st.tuples(st.floats(-3000, 3000), st.floats(-100, 4000), st.floats(0, 100)), max_size=30))
def test_what_is_refused_costs_nothing_and_the_ledger_is_the_sum(wild: list[tuple[float, float, float]]) -> None:
    reports = [
        Sent(TrackReport(north_of(MONAS, metres), START + timedelta(seconds=at), accuracy), max(0.0, at - 25))
        for metres, at, accuracy in wild
    ]
    cost, refusals = bill(reports)
    kept = [item for item, reason in zip(reports, refusals, strict=True) if not reason]
    assert bill(kept) == (cost, [""] * len(kept))
    places = [MONAS, *(item.report.point for item in kept)]
    km = sum(distance_km(a, b) for a, b in itertools.pairwise(places))
    assert abs(cost - km * 3000) <= 1


def between(start: GeoPoint, end: GeoPoint, share: float) -> GeoPoint:
    """The place after this share of the shortest way."""
    a, b = (_vector(place) for place in (start, end))
    angle = math.acos(min(1.0, sum(x * y for x, y in zip(a, b, strict=True))))
    x, y, z = (
        (math.sin((1 - share) * angle) * p + math.sin(share * angle) * q) / math.sin(angle)
        for p, q in zip(a, b, strict=True)
    )
    return GeoPoint(math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x)))


def _vector(place: GeoPoint) -> tuple[float, float, float]:
    latitude, longitude = math.radians(place.latitude), math.radians(place.longitude)
    return (
        math.cos(latitude) * math.cos(longitude),
        math.cos(latitude) * math.sin(longitude),
        math.sin(latitude),
    )


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.sets(st.integers(1, 999), max_size=60))
def test_in_any_direction_the_number_of_reports_moves_the_price_by_rounding_only(
    north: float, east: float, thousandths: set[int]
) -> None:
    assume(abs(north) + abs(east) > 0.001)
    end = GeoPoint(MONAS.latitude + north, MONAS.longitude + east)
    km = distance_km(MONAS, end)
    reports = []
    for share in (n / 1000 for n in sorted(thousandths | {1000})):
        at = share * km * 1000 / PACE
        reports.append(Sent(TrackReport(between(MONAS, end, share), START + timedelta(seconds=at)), at))
    cost, refusals = bill(reports)
    assert set(refusals) == {""}
    assert abs(cost - km * 3000) <= 1


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_it_does_not_matter_how_many_reports_are_booked_at_once(dewi: User, putri: User, size: int) -> None:
    ride = start(dewi, putri)
    backdate(ride, 600)
    assert ride.started_at
    shift = ride.started_at - START
    received = [
        ReceivedReport(msgspec.structs.replace(item.report, timestamp=item.report.timestamp + shift), timezone.now())
        for item in straight(3500, PACE)
    ]
    for first in range(0, len(received), size):
        tracks_record(reports={ride.pk: received[first : first + size]})
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert ride.total_cost == sum(entry.cost for entry in ride.ledger.all()) == price(3500)
    assert ride.distance_km == sum(entry.distance_km for entry in ride.ledger.all())
    assert ride.track.filter(accepted=True).count() == len(received) + 1


def test_a_phone_whose_clock_is_a_minute_slow_is_billed_the_whole_way() -> None:
    reports = [sent(PACE * t, t, clock=-MINUTE) for t in range(1, 601)]
    cost, refusals = bill(reports)
    assert cost == price(6000)
    assert set(refusals[:59]) == {"before_start"}
    assert set(refusals[80:]) == {""}


def test_a_phone_whose_clock_is_a_minute_fast_is_not_believed_and_costs_nothing() -> None:
    cost, refusals = bill([sent(PACE * t, t, clock=MINUTE) for t in range(1, 601)])
    assert cost == 0
    assert set(refusals) == {"in_the_future"}


def test_a_clock_that_is_put_right_on_the_way_loses_nothing() -> None:
    wrong = [sent(PACE * t, t, clock=MINUTE) for t in range(1, 301)]
    right = [sent(PACE * t, t) for t in range(301, 601)]
    assert bill([*wrong, *right])[0] == price(6000)


def test_a_clock_that_is_put_back_by_half_a_minute_loses_nothing() -> None:
    ahead = [sent(PACE * t, t, clock=30) for t in range(1, 301)]
    right = [sent(PACE * t, t) for t in range(301, 601)]
    cost, refusals = bill([*ahead, *right])
    assert cost == price(6000)
    assert refusals.count("out_of_order") == 29


def test_a_flight_of_points_after_a_tunnel_counts_by_its_own_times() -> None:
    before = [sent(PACE * t, t) for t in range(1, 61)]
    tunnel = [sent(PACE * t, t, delay=180 - t) for t in range(61, 181)]  # all come in at 180 s
    after = [sent(PACE * t, t) for t in range(181, 301)]
    cost, refusals = bill([*before, *tunnel, *after])
    assert (cost, set(refusals)) == (price(3000), {""})


def test_a_flight_of_points_without_times_is_too_fast_until_the_road_is_caught_up_with() -> None:
    before = [sent(PACE * t, t) for t in range(1, 61)]
    tunnel = [Sent(TrackReport(north_of(MONAS, PACE * t), START + timedelta(seconds=180)), 180) for t in range(61, 181)]
    after = [sent(PACE * t, t) for t in range(181, 301)]
    cost, refusals = bill([*before, *tunnel, *after])
    assert cost == price(3000)
    assert refusals[60:180] == ["", *["too_fast"] * 119]
    assert set(refusals[-90:]) == {""}


@pytest.mark.parametrize("seconds", [1, 60, 3600])
def test_a_pause_costs_nothing(seconds: int) -> None:
    way = [sent(PACE * t, t) for t in range(1, 61)]
    waits = [sent(PACE * 60, 60 + t) for t in range(1, seconds + 1)]
    on = [sent(PACE * (60 + t), 60 + seconds + t) for t in range(1, 61)]
    assert bill([*way, *waits, *on])[0] == price(1200)


def test_a_jump_to_somewhere_else_and_back_costs_nothing() -> None:
    reports = straight(2000, PACE)
    reports[100:100] = [Sent(TrackReport(GeoPoint(0.0, 0.0), reports[99].report.timestamp, 5.0), reports[99].at)]
    cost, refusals = bill(reports)
    assert (cost, refusals.count("too_fast")) == (price(2000), 1)
