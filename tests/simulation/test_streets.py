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
    rng = random.Random(1)
    distances = [distance_km(MONAS, place_near(MONAS, 500, rng)) * 1000 for _ in range(500)]
    assert max(distances) <= 500.5
    assert max(distances) > 400
    assert distance_km(MONAS, place_at(MONAS, 1000, 1.0)) == pytest.approx(1, abs=0.001)


def test_a_straight_line_is_cut_into_equal_steps() -> None:
    target = place_at(MONAS, 1050, 0)
    places = [MONAS, *straight(MONAS, target, 0.1)]
    steps = [distance_km(a, b) for a, b in itertools.pairwise(places)]
    assert places[-1] == target
    assert len(steps) == 11
    assert steps[:10] == pytest.approx([0.1] * 10, rel=1e-3)
    assert list(straight(MONAS, MONAS, 0.1)) == []


@given(METRES, ANGLES, SEEDS)
def test_a_way_comes_to_its_target_by_streets_that_cross_at_right_angles(
    metres: float, angle: float, seed: int
) -> None:
    target = place_at(MONAS, metres, angle)
    corners = [MONAS, *way(MONAS, target, random.Random(seed))]
    length = sum(distance_km(a, b) for a, b in itertools.pairwise(corners))
    assert corners[-1] == target
    assert metres / 1000 * 0.99 - 0.001 <= length <= metres / 1000 * 1.43 + 0.01


@given(METRES, ANGLES, SEEDS)
def test_a_vehicle_never_jumps_and_arrives(metres: float, angle: float, seed: int) -> None:
    target = place_at(MONAS, metres, angle)
    places = [MONAS, *drive(MONAS, target, 0.01, 1, random.Random(seed))]
    assert places[-1] == target
    assert max((distance_km(a, b) for a, b in itertools.pairwise(places)), default=0) <= 0.0101 * PACE_VARIES[1]


def test_it_waits_at_some_lights_and_less_at_a_higher_speed() -> None:
    target = place_at(MONAS, 4000, 1.0)

    def waits(speed: float) -> int:
        places = list(drive(MONAS, target, 0.01, speed, random.Random(3)))
        return sum(a == b for a, b in itertools.pairwise(places))

    assert waits(1) > 10
    assert waits(1) > waits(4) > 0
    assert waits(100) == 0
