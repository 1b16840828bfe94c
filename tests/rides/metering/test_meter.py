"""How far a ride is by its fixes: under noise, standing, by bad clocks and networks, whatever a phone may send."""

from __future__ import annotations

import cmath
import math
import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench import tracks as laboratory
from rides.metering.fixes import EARTH_RADIUS_M, Fix, Limits
from rides.metering.meter import measure
from tests.rides.metering.tracks import START, Way, circle, fix, noisy, polyline, straight, track

LIMITS = Limits()
AT_ANY_SPEED = Limits(max_speed_kmh=0)
HOUR = 3600.0
YEARS = 1024 * 7 * 86_400.0


def metres(fixes: list[Fix], limits: Limits = LIMITS) -> float:
    return measure(fixes, limits, START).metres


def corners(block: float, speed: float) -> Way:
    """To the east and to the north in turn, a block each."""

    def way(at: float) -> complex:
        blocks, rest = divmod(speed * at, block)
        east, north = (blocks + 1) // 2 * block, blocks // 2 * block
        return complex(east, north + rest) if blocks % 2 else complex(east + rest, north)

    return way


def shifted(fixes: list[Fix], seconds: float) -> list[Fix]:
    """The same fixes by a phone whose clock is wrong."""
    return [msgspec.structs.replace(one, phone_time=(one.phone_time or 0) + seconds) for one in fixes]


class TestWithoutNoise:
    @pytest.mark.parametrize("every", [1.0, 2.0, 5.0, 15.0, 60.0])
    def test_straight_road_is_its_great_circle(self, every: float) -> None:
        """A straight road costs its great circle, however often the phone reports."""
        assert metres(track(straight(), 600, every)) == pytest.approx(6000, rel=1e-4)

    @pytest.mark.parametrize("accuracy", [None, 3.0, 10.0])
    @pytest.mark.parametrize("radius", [15.0, 20.0, 200.0])
    def test_corners_are_not_cut(self, radius: float, accuracy: float | None) -> None:
        """A track without noise is left as it is, also in the tightest bend and whatever accuracy the phone claims."""
        fixes = track(circle(radius, 6.0), 300, accuracy=accuracy)
        assert metres(fixes) == pytest.approx(polyline(fixes), rel=1e-3)

    @pytest.mark.parametrize("kind", ["bends", "roundabouts", "u_turns", "stop_and_go", "jam", "lap", "tunnel"])
    @pytest.mark.parametrize("every", [1, 2])
    def test_every_road_is_its_polyline(self, kind: str, every: int) -> None:
        """Every road of the laboratory costs the line through its reported places."""
        rng = random.Random(3)
        course = laboratory.KINDS[kind](rng)
        fixes = laboratory.report(course, laboratory.drive(course), laboratory.Phone(every), rng)
        assert metres(fixes) == pytest.approx(polyline(fixes), rel=1e-3)

    @pytest.mark.parametrize("timed", [True, False])
    def test_fast_motion_is_billed(self, timed: bool) -> None:
        """A simulation at twenty times the pace is billed right, with and without times."""
        fixes = track(straight(200), 30, 0.5, **({} if timed else {"phone_time": None}))
        assert metres(fixes, AT_ANY_SPEED) == pytest.approx(6000, rel=1e-3)

    def test_fast_motion_with_noise(self) -> None:
        """Noise is taken off a simulation at twenty times the pace as off a real ride."""
        fixes = noisy(track(straight(200), 30, 0.05), 5)
        assert metres(fixes, AT_ANY_SPEED) == pytest.approx(6000, rel=0.02)

    @pytest.mark.parametrize("pace", [3, 5, 8, 20])
    def test_corners_in_fast_motion(self, pace: float) -> None:
        """Street corners are not cut at any pace: the fixes are as dense along the road as those of a real ride."""
        fixes = noisy(track(corners(150, 7.0 * pace), 350 / pace, 1.4 / pace), 5, rho=0.5)
        assert metres(fixes, AT_ANY_SPEED) == pytest.approx(2450, rel=0.06)

    def test_few_fixes_in_fast_motion(self) -> None:
        """A short last step behind a corner is no stand of a simulation that has gone 200 m a second before."""
        places = (0j, 200j, 400j, 400j + 27, 400j + 27)
        assert metres([fix(place, n) for n, place in enumerate(places)], AT_ANY_SPEED) == pytest.approx(427, rel=1e-3)

    def test_coarse_coordinates_are_no_noise(self) -> None:
        """Coordinates of six digits are as good as any."""
        fixes = [
            msgspec.structs.replace(one, latitude=round(one.latitude, 6), longitude=round(one.longitude, 6))
            for one in track(circle(20, 6), 300)
        ]
        assert metres(fixes) == pytest.approx(1800, rel=5e-3)


class TestUnderNoise:
    @pytest.mark.parametrize(("sigma", "rho"), [(3, 0), (10, 0), (10, 0.5), (10, 0.9), (10, 0.98), (20, 0)])
    @pytest.mark.parametrize("every", [1.0, 5.0, 15.0])
    def test_straight_road(self, sigma: float, rho: float, every: float) -> None:
        """Noise does not lengthen a straight road."""
        fixes = noisy(track(straight(8), 600, every, accuracy=float(sigma)), sigma, rho)
        assert metres(fixes) == pytest.approx(4800, rel=0.02)

    @pytest.mark.parametrize("sigma", [3.0, 10.0])
    def test_bends_are_kept(self, sigma: float) -> None:
        """Corners of 20 m are neither cut nor lengthened."""
        errors = []
        for seed in range(8):
            rng = random.Random(seed)
            course = laboratory.bends(rng)
            moments = laboratory.drive(course)
            fixes = laboratory.report(course, moments, laboratory.Phone(sigma=sigma), rng)
            errors.append(metres(fixes) / moments[-1].driven - 1)
        assert abs(sorted(errors)[4]) < 0.015
        assert max(map(abs, errors)) < 0.05

    def test_speed_of_the_phone_helps(self) -> None:
        """In roundabouts the phone's speed tells what the noise of the places hides."""
        fixes = [
            msgspec.structs.replace(one, speed=7.0) for one in noisy(track(_with_loops, 700, accuracy=12.0), 12, seed=3)
        ]
        assert metres(fixes) == pytest.approx(4900, rel=0.02)

    @pytest.mark.parametrize("speed", [0.0, 36.0, 3.0])
    def test_wrong_speed_is_not_believed(self, speed: float) -> None:
        """A phone that says another speed than its places is billed by its places."""
        fixes = noisy(track(straight(10), 300), 5)
        spoken = [msgspec.structs.replace(one, speed=speed) for one in fixes]
        assert metres(spoken) == metres(fixes)


def _with_loops(at: float) -> complex:
    """250 m straight, then once around a circle of 18 m, again and again, at 7 m/s."""
    period = 250 + 2 * math.pi * 18
    turns, rest = divmod(7 * at, period)
    start = complex(250 * turns, 0)
    if rest < 250:
        return start + rest
    angle = (rest - 250) / 18
    return start + 250 + 18 * complex(math.sin(angle), 1 - math.cos(angle))


class TestStanding:
    @pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.98])
    @pytest.mark.parametrize("sigma", [3.0, 10.0, 20.0])
    @pytest.mark.parametrize("every", [1.0, 15.0])
    def test_an_hour_is_nothing(self, sigma: float, rho: float, every: float) -> None:
        """An hour on the spot is not one millimetre."""
        fixes = noisy(track(lambda _: 0j, HOUR, every, accuracy=sigma), sigma, rho**every)
        assert metres(fixes) == 0

    @pytest.mark.parametrize("speed", [0.0, 2.0, None])
    def test_without_accuracy(self, speed: float | None) -> None:
        """Nor is it when the phone does not say how good its places are, or says a speed."""
        fixes = noisy(track(lambda _: 0j, HOUR, accuracy=None, speed=speed), 10, 0.9)
        assert metres(fixes) == 0

    @pytest.mark.parametrize("accuracy", [5.0, None])
    def test_wandering_places(self, accuracy: float | None) -> None:
        """Nor when the places wander slowly in loops, as between towers."""
        wander = track(lambda at: 12 * complex(math.sin(at / 20), math.cos(at / 31)), HOUR, accuracy=accuracy)
        assert metres(wander) == 0

    @pytest.mark.parametrize(("accuracy", "every"), [(None, 15.0), (14.0, 5.0), (14.0, 1.0)])
    def test_worse_than_promised(self, accuracy: float | None, every: float) -> None:
        """Nor when the noise is worse than the phone says, and seldom reported."""
        assert metres(noisy(track(lambda _: 0j, HOUR, every, accuracy=accuracy), 20, 0.3)) == 0

    @pytest.mark.parametrize(("every", "sigma", "seed"), [(5, 10, 134), (2, 15, 69)])
    def test_slow_drift_without_accuracy(self, every: float, sigma: float, seed: int) -> None:
        """Nor when the places drift for minutes and the phone does not say how good they are."""
        rng = random.Random(f"1 standing {sigma} False {seed}")
        phone = laboratory.Phone(every, sigma, 0.98, accuracy=False)
        course = laboratory.standing(rng)
        assert metres(laboratory.report(course, laboratory.drive(course), phone, rng)) == 0

    def test_a_red_light_in_a_ride(self) -> None:
        """Ten minutes at a red light add nothing to the ride around them."""
        way = straight(10)
        fixes = noisy(track(lambda at: way(min(at, 120) + max(0, at - 720)), 840), 8, 0.6)
        assert metres(fixes) == pytest.approx(2400, rel=0.02)

    def test_spikes_while_standing(self) -> None:
        """Spikes and reflections while standing add nothing either."""
        fixes = noisy(track(lambda _: 0j, HOUR), 4, 0.8)
        rng = random.Random(2)
        for n in rng.sample(range(len(fixes)), 60):
            fixes[n] = fix(complex(rng.gauss(0, 200), rng.gauss(0, 200)), n)
        assert metres(fixes) == 0

    def test_reflections_while_standing(self) -> None:
        """Nor do reflections that last for some seconds, as between towers."""
        fixes = noisy(track(lambda _: 0j, HOUR, accuracy=10.0), 10, 0.7)
        for n in range(100, 3500, 200):
            for m in range(n, n + 6):
                fixes[m] = fix(cmath.rect(80 + n / 20, n), m, accuracy=10.0)
        assert metres(fixes) == 0


def told_again(fixes: list[Fix], times: int, moved: float = 0.0) -> list[Fix]:
    """Each fix, and the same one again and again until the next: under the times of those, or beside them."""
    told = []
    for n, one in enumerate(fixes):
        last = fixes[n - n % times]
        told.append(fix_at(last, one) if moved == 0.0 else one)
        if moved and n % times == 0:
            again = msgspec.structs.replace(one, latitude=one.latitude + math.degrees(moved / EARTH_RADIUS_M))
            told.append(
                msgspec.structs.replace(again, phone_time=_time(one) + 0.02, received_at=one.received_at + 0.02)
            )
    return told


def fix_at(place: Fix, when: Fix) -> Fix:
    return msgspec.structs.replace(when, latitude=place.latitude, longitude=place.longitude)


def _time(one: Fix) -> float:
    assert one.phone_time is not None
    return one.phone_time


class TestRepetitions:
    """A phone tells its last fix again, until it has another one; some tell each twice, by two sources."""

    @pytest.mark.parametrize(("times", "moved"), [(2, 0.0), (3, 0.0), (5, 0.0), (1, 0.01), (2, 0.1), (8, 0.1)])
    @pytest.mark.parametrize(("sigma", "rho"), [(5, 0.0), (5, 0.9), (10, 0.5)])
    def test_a_fix_told_again(self, times: int, moved: float, sigma: float, rho: float) -> None:
        """That no noise comes twice does not make a track one without noise."""
        standing = noisy(track(lambda _: 0j, 600), sigma, rho)
        assert metres(told_again(standing, times, moved)) == 0
        driving = noisy(track(straight(8.0), 600), sigma, rho)
        assert metres(told_again(driving, times, moved)) == pytest.approx(4800, rel=0.05)

    def test_a_stand_without_noise(self) -> None:
        """A place that is told for long is a stand, whose time counts; the way before and after it costs what it is."""
        way = straight(10.0)
        fixes = track(lambda at: way(at if at < 100 else max(100.0, at - 60)), 300)
        measured = measure(fixes, LIMITS, START)
        assert measured.metres == pytest.approx(2400, rel=0.001)
        assert not any(measured.reasons)
        assert max(b - a for (a, *_), (b, *_) in pairwise(measured.track)) == pytest.approx(60, abs=2)

    @pytest.mark.parametrize("pause", [2, 3, 9])
    def test_a_pause_at_a_corner_without_noise(self, pause: int) -> None:
        """Who waits for some seconds before a turn, without noise, has driven up to the corner."""

        def place(at: float) -> complex:
            at = at if at < 12 else max(12.0, at - pause)
            return complex(35 * at, 0) if at < 12 else complex(35 * 12, 28 * (at - 12))

        fixes = track(place, 24 + pause, accuracy=5.0)
        assert metres(fixes) == pytest.approx(35 * 12 + 28 * 12, rel=0.001)


class TestBadFixes:
    def test_null_island_is_no_fix(self) -> None:
        """Latitude and longitude 0 are what a phone without a fix sends."""
        fixes = track(straight(), 300)
        fixes[100] = msgspec.structs.replace(fixes[100], latitude=0.0, longitude=0.0)
        measured = measure(fixes, LIMITS, START)
        assert measured.metres == pytest.approx(3000, rel=1e-3)
        assert measured.reasons[100] == "no_fix"

    def test_cell_tower_is_inaccurate(self) -> None:
        """A fix worse than the limit is left out."""
        fixes = track(straight(), 300)
        fixes[100] = fix(2000, 100, accuracy=1500.0)
        measured = measure(fixes, LIMITS, START)
        assert measured.metres == pytest.approx(3000, rel=1e-3)
        assert measured.reasons.count("inaccurate") == 1

    @pytest.mark.parametrize("count", [1, 2, 5, 15])
    def test_reflections_are_left_out(self, count: int) -> None:
        """A reflection that jumps away and back is left out, one fix or several."""
        fixes = track(straight(), 300)
        for n in range(100, 100 + count):
            fixes[n] = fix(straight()(n) + complex(-160, 120), n)
        measured = measure(fixes, LIMITS, START)
        assert measured.metres == pytest.approx(3000, rel=1e-3)
        assert measured.reasons[100 : 100 + count] == ["spike"] * count

    def test_a_jump_is_not_driven(self) -> None:
        """A phone that is suddenly 700 km away has not driven there, but drives on from there."""
        fixes = [*track(straight(), 300), *(fix(700_000j + straight()(at), at) for at in range(301, 601))]
        measured = measure(fixes, LIMITS, START)
        assert measured.metres == pytest.approx(5990, rel=1e-3)
        assert measured.jumps == [pytest.approx(700_000, rel=0.01)]

    def test_a_tunnel_is_bridged(self) -> None:
        """Where no fix came for minutes the straight line counts."""
        fixes = [one for n, one in enumerate(track(straight(), 600)) if not 200 < n < 380]
        assert metres(fixes) == pytest.approx(6000, rel=1e-3)

    def test_zigzag_is_not_billed(self) -> None:
        """A phone that jumps to and fro by 50 m a second stands."""
        assert metres(track(lambda at: complex(50 * (at % 2), 0), HOUR)) < 100

    def test_doubled_fixes_count_once(self) -> None:
        """What the phone sends again changes nothing."""
        fixes = noisy(track(straight(), 300), 5)
        again = [msgspec.structs.replace(one, received_at=one.received_at + 20) for one in fixes]
        measured = measure([*fixes, *again], LIMITS, START)
        assert measured.reasons.count("duplicate") == len(fixes)
        assert measured.metres == metres(fixes)


class TestClocks:
    @pytest.mark.parametrize("wrong", [35, 120, HOUR, 7 * HOUR, -HOUR, -YEARS, YEARS])
    def test_wrong_clock_bills_right(self, wrong: float) -> None:
        """A phone's clock may be wrong by anything."""
        assert metres(shifted(track(straight(), 90), wrong)) == pytest.approx(900, rel=1e-3)

    @pytest.mark.parametrize("wrong", [4, 35, HOUR, 7 * HOUR, -4, -35, -HOUR, -YEARS])
    def test_clock_set_in_mid_ride(self, wrong: float) -> None:
        """A clock that is set on the way moves no fix and no rupiah."""
        fixes = track(straight(), 600)
        assert metres([*shifted(fixes[:300], wrong), *fixes[300:]]) == pytest.approx(6000, rel=1e-3)

    def test_drifting_clock(self) -> None:
        """A clock that loses half a minute in an hour is a clock like others."""
        fixes = [
            msgspec.structs.replace(one, phone_time=START + 0.99 * n) for n, one in enumerate(track(straight(), HOUR))
        ]
        assert metres(fixes) == pytest.approx(36_000, rel=1e-3)

    @pytest.mark.parametrize("newest_first", [True, False])
    @pytest.mark.parametrize("wrong", [0.0, -HOUR])
    def test_backlog_of_a_tunnel(self, newest_first: bool, wrong: float) -> None:
        """What was held up in a tunnel counts by its own times, in whatever order it comes in."""
        fixes = shifted(track(straight(), 90), wrong)
        for n in range(30, 70):
            late = START + 70.2 + (70 - n if newest_first else n) * 1e-4
            fixes[n] = msgspec.structs.replace(fixes[n], received_at=late)
        assert metres(fixes) == pytest.approx(900, rel=1e-3)

    @pytest.mark.parametrize("rate", [1.5, 20, 100])
    def test_clock_in_fast_motion(self, rate: float) -> None:
        """A ride of an hour that comes in within minutes is measured by the phone's clock."""
        fixes = [
            msgspec.structs.replace(one, received_at=START + n / rate) for n, one in enumerate(track(straight(), HOUR))
        ]
        assert metres(fixes) == pytest.approx(36_000, rel=1e-3)

    def test_new_connection_has_its_own_clock(self) -> None:
        """After a reconnect the clock is compared again."""
        fixes = track(straight(), 600)
        later = [msgspec.structs.replace(one, connection="b") for one in shifted(fixes[300:], 7 * HOUR)]
        assert metres([*fixes[:300], *later]) == pytest.approx(6000, rel=1e-3)

    def test_one_broken_time_stamp(self) -> None:
        """A single time stamp of the next century spoils nothing."""
        fixes = track(straight(), 300)
        fixes[100] = msgspec.structs.replace(fixes[100], phone_time=5e9)
        assert metres(fixes) == pytest.approx(3000, rel=1e-3)

    def test_burst_without_times(self) -> None:
        """Fixes without times that come in all at once are spread over the silence before."""
        fixes = track(straight(), 300, phone_time=None)
        for n in range(100, 160):
            fixes[n] = msgspec.structs.replace(fixes[n], received_at=START + 160 + n * 1e-4)
        assert metres(fixes) == pytest.approx(3000, rel=1e-3)

    @pytest.mark.parametrize("clock", [0.0, -25_200.0, 90.0])
    def test_the_approach_sent_again(self, clock: float) -> None:
        """What a phone that was cut off at the start sends again of the way to the pick-up is no part of the ride."""
        driven = track(straight(), 100)
        start = msgspec.structs.replace(driven[0], received_at=START - 0.1)
        approach = [fix(complex(0, -15.0 * n), -n / 2, received_at=START + 4, connection="b") for n in range(9, 0, -1)]
        ride = [msgspec.structs.replace(one, connection="b") for one in driven[1:]]
        measured = measure(shifted([start, *approach, *ride], clock), LIMITS, START)
        assert measured.metres == pytest.approx(1000, rel=1e-3)
        assert measured.reasons.count("before_start") == len(approach)

    def test_before_the_start(self) -> None:
        """What was driven before the passenger was on board is not billed, also when it comes in late."""
        early = [fix(straight()(at), at, received_at=START + 200.0) for at in range(-100, -10)]
        measured = measure([*track(straight(), 300), *early], LIMITS, START)
        assert measured.metres == pytest.approx(3000, rel=1e-3)
        assert measured.reasons.count("before_start") == len(early)


numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)
any_fix = st.builds(
    Fix,
    st.floats(-90, 90),
    st.floats(-180, 180),
    numbers,
    st.none() | numbers,
    st.sampled_from(["", "a", "b"]),
    st.none() | st.floats(0, 1e6),
    st.none() | st.floats(0, 1e4),
)
near_fix = st.builds(
    lambda x, y, at, late, accuracy: fix(complex(x, y), at, received_at=START + at + late, accuracy=accuracy),
    st.floats(-300, 300),
    st.floats(-300, 300),
    st.floats(0, 120),
    st.floats(0, 60),
    st.none() | st.floats(0, 60),
)
POLES = [Fix(90.0, 0.0, START + 1, START), Fix(90.0, 180.0, START + 2, START + 1), Fix(-90.0, -180.0, START + 3)]
DATE_LINE = [Fix(0.1, 179.9999, START + n, START + n, accuracy=5.0) for n in range(3)]


class TestWhateverComes:
    @given(st.lists(any_fix | near_fix, max_size=25), st.sampled_from([LIMITS, AT_ANY_SPEED]))
    @example(POLES, AT_ANY_SPEED)
    @example(DATE_LINE, LIMITS)
    @settings(max_examples=60, deadline=None)
    def test_the_result_is_a_length(self, fixes: list[Fix], limits: Limits) -> None:
        """Whatever a phone sends, the result is a finite length, with a reason or none for each fix."""
        measured = measure(fixes, limits, START)
        assert 0 <= measured.metres < math.inf
        assert len(measured.reasons) == len(fixes)
        assert all(math.isfinite(number) for place in measured.track for number in place)

    @given(st.lists(near_fix, max_size=30), st.randoms(use_true_random=False))
    @settings(max_examples=60, deadline=None)
    def test_order_does_not_matter(self, fixes: list[Fix], rng: random.Random) -> None:
        """The result does not depend on the order in which the fixes are handed over."""
        shuffled = list(fixes)
        rng.shuffle(shuffled)
        assert measure(shuffled, LIMITS, START).metres == measure(fixes, LIMITS, START).metres

    def test_date_line_is_crossed(self) -> None:
        """The date line is no obstacle."""
        fixes = [
            Fix(10.0, math.remainder(179.99 + n * 1e-4, 360), START + n, START + n, accuracy=5.0) for n in range(300)
        ]
        assert metres(fixes) == pytest.approx(polyline(fixes), rel=1e-6)
        assert metres(noisy(fixes, 5)) == pytest.approx(polyline(fixes), rel=0.02)

    @pytest.mark.parametrize("fixes", [[], [fix(0j, 0)], [fix(0j, 0)] * 2])
    def test_nothing_or_one_fix(self, fixes: list[Any]) -> None:
        """Without two places there is no way."""
        assert metres(fixes) == 0


def test_measured_twice_is_the_same() -> None:
    """The same fixes give the same result to the last bit, from rows or from memory."""
    fixes = noisy(track(straight(), 400), 8, 0.7)
    kept = msgspec.json.decode(msgspec.json.encode(fixes), type=list[Fix])
    assert measure(kept, LIMITS, START) == measure(fixes, LIMITS, START)


def test_a_few_fixes_around_a_corner_are_no_noise() -> None:
    """A ride of seven fixes with one corner, whose times jitter, costs its length."""
    rng = random.Random(3)
    way = [-27 + 1j, 0, 99j, 198j, 297j, 396j, 483j]
    fixes = [fix(place, 9 * n + rng.uniform(-0.01, 0.01)) for n, place in enumerate(way)]
    assert metres(fixes) == pytest.approx(abs(27 - 1j) + 483, abs=0.01)
