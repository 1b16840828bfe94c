"""When the phone's speed is believed."""

from __future__ import annotations

import pytest

from rides.metering.smoothing import Track
from rides.metering.speeds import factor, legs_by_speed

TRACK = Track([float(n) for n in range(301)], [complex(10 * n, 0) for n in range(301)])
LEGS, GAPS, EVEN = [10.0] * 300, [1.0] * 300, [0.34] * 301


@pytest.mark.parametrize(("speed", "right"), [(10.0, 1.0), (10.4, 0.98)])
def test_speeds_that_fit_are_believed(speed: float, right: float) -> None:
    """Speeds that are off by one small factor are corrected by it."""
    spoken = legs_by_speed([speed] * 301, TRACK)
    assert spoken
    assert factor(spoken, LEGS, GAPS, EVEN, range(300)) == pytest.approx(right, abs=0.01)


@pytest.mark.parametrize("speed", [0.0, 2.8, 13.0, 36.0])
def test_speeds_that_do_not_fit_are_not(speed: float) -> None:
    """Another speed than that between the places, or another unit, is not used."""
    spoken = legs_by_speed([speed] * 301, TRACK)
    assert spoken
    assert factor(spoken, LEGS, GAPS, EVEN, range(300)) is None


def test_speeds_must_be_known_often_enough() -> None:
    """Speeds of every tenth fix, or of fixes that are far apart, say too little."""
    assert legs_by_speed([10.0 if n % 10 == 0 else None for n in range(301)], TRACK) is None
    assert legs_by_speed([10.0] * 31, Track(TRACK.times[::10], TRACK.places[::10])) is None
