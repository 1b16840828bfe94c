"""Rule 1, which old rides keep."""

from __future__ import annotations

import pytest

from rides.geo import GeoPoint
from rides.metering.first_rule import Track, advance, length_km, refusal
from rides.metering.fixes import Fix, Limits
from tests.cast import MONAS, north_of

T0 = 1e9
LIMITS = Limits(50, 200)


def fix(metres: float, said: float | None, received: float, accuracy: float | None = None) -> Fix:
    place = north_of(MONAS, metres)
    return Fix(place.latitude, place.longitude, T0 + received, None if said is None else T0 + said, "", accuracy)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (fix(100, 10, 10), ""),
        (fix(100, None, 10), ""),
        (fix(10, 10, 10, accuracy=50), ""),
        (fix(10, 40, 10), ""),
        (fix(55, 1, 1), ""),
        (fix(10, 10, 10, accuracy=50.1), "inaccurate"),
        (fix(10, -0.001, 10), "before_start"),
        (fix(10, 41, 10), "in_the_future"),
        (fix(100, 1, 1), "too_fast"),
    ],
)
def test_a_fix_is_judged_as_it_was(one: Fix, reason: str) -> None:
    assert refusal(Track(T0, MONAS, T0), one, LIMITS) == reason


def test_a_fix_older_than_the_last_is_out_of_order() -> None:
    track = advance(Track(T0, MONAS, T0), fix(100, 10, 10))
    assert refusal(track, fix(110, 9, 12), LIMITS) == "out_of_order"


def test_any_speed_is_allowed_without_a_limit() -> None:
    assert refusal(Track(T0, MONAS, T0), fix(90_000, 1, 1), Limits(50, 0)) == ""


def test_the_length_is_the_sum_of_the_legs_in_order() -> None:
    """The same to the last bit, fix by fix or all at once."""
    fixes = [fix(13.7 * n % 1000, n, n) for n in range(300)]
    track = Track(T0, MONAS, T0)
    for one in fixes:
        track = advance(track, one)
    assert length_km([MONAS, *(GeoPoint(one.latitude, one.longitude) for one in fixes)]) == track.km
