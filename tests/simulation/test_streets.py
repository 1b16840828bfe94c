import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rides.geo import distance_km
from simulation.streets import PACE_VARIES, drive, place_at, place_near, straight, way
from tests.cast import MONAS

METRES = st.floats(0, 5000)
ANGLES = st.floats(0, 6.3)
SEEDS = st.integers(0, 1000)


def test_places_lie_within_their_radius() -> None:
    """Random places lie within their radius."""
    rng = random.Random(1)
    distances = [distance_km(MONAS, place_near(MONAS, 500, rng)) * 1000 for _ in range(500)]
    assert max(distances) <= 500.5
    assert max(distances) > 400
    assert distance_km(MONAS, place_at(MONAS, 1000, 1.0)) == pytest.approx(1, abs=0.001)


def test_lines_have_equal_steps() -> None:
    """A straight line is cut into equal steps."""
    target = place_at(MONAS, 1050, 0)
    places = [MONAS, *straight(MONAS, target, 0.1)]
    steps = [distance_km(a, b) for a, b in itertools.pairwise(places)]
    assert places[-1] == target
    assert len(steps) == 11
    assert steps[:10] == pytest.approx([0.1] * 10, rel=1e-3)
    assert list(straight(MONAS, MONAS, 0.1)) == []


@given(METRES, ANGLES, SEEDS)
def test_ways_follow_a_grid(metres: float, angle: float, seed: int) -> None:
    """A way ends at its target and is as long as streets at right angles make it."""
    target = place_at(MONAS, metres, angle)
    corners = [MONAS, *way(MONAS, target, random.Random(seed))]
    length = sum(distance_km(a, b) for a, b in itertools.pairwise(corners))
    assert corners[-1] == target
    assert metres / 1000 * 0.99 - 0.001 <= length <= metres / 1000 * 1.43 + 0.01


@given(METRES, ANGLES, SEEDS)
def test_vehicles_never_jump(metres: float, angle: float, seed: int) -> None:
    """A vehicle never moves faster than its speed, and arrives."""
    target = place_at(MONAS, metres, angle)
    places = [MONAS, *drive(MONAS, target, 0.01, 1, random.Random(seed))]
    assert places[-1] == target
    assert max((distance_km(a, b) for a, b in itertools.pairwise(places)), default=0) <= 0.0101 * PACE_VARIES[1]


def test_vehicles_wait_at_lights() -> None:
    """A vehicle waits at some lights, for less time at a higher speed."""
    target = place_at(MONAS, 4000, 1.0)

    def waits(speed: float) -> int:
        places = list(drive(MONAS, target, 0.01, speed, random.Random(3)))
        return sum(a == b for a, b in itertools.pairwise(places))

    assert waits(1) > 10
    assert waits(1) > waits(4) > 0
    assert waits(100) == 0
