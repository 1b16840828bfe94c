"""Cells of about 500 m: fixed, whole, and no smaller anywhere."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rides.cells import ROW_DEGREES, cell_distance_km, cell_middle, round_up
from rides.geo import GeoPoint, distance_km
from tests.cast import MONAS, north_of

POINTS = st.builds(GeoPoint, st.floats(-90, 90), st.floats(-180, 180))


@given(POINTS)
def test_a_middle_is_near_and_its_own(point: GeoPoint) -> None:
    """Every place has a middle at most 360 m away, which is the middle of itself."""
    middle = cell_middle(point)
    assert -90 <= middle.latitude <= 90
    assert -180 <= middle.longitude <= 180
    assert distance_km(point, middle) <= 0.36
    assert cell_middle(middle) == middle


@given(st.floats(-89.9, 89.9), st.floats(-180, 180))
def test_cells_are_no_smaller_than_400_m(latitude: float, longitude: float) -> None:
    """Also near the poles, where degrees of longitude are short: neighbours are at least 400 m apart."""
    middle = cell_middle(GeoPoint(latitude, longitude))
    above = cell_middle(GeoPoint(min(90, middle.latitude + ROW_DEGREES), middle.longitude))
    width = 0.45 / (111.2 * max(math.cos(math.radians(middle.latitude)), 1e-6))
    beside = cell_middle(GeoPoint(middle.latitude, (middle.longitude + width + 180) % 360 - 180))
    for other in (above, beside):
        assert other == middle or distance_km(other, middle) >= 0.4


def test_a_whole_cell_has_one_answer() -> None:
    """A hundred looks from everywhere show the same place: nothing can be averaged out."""
    middle = cell_middle(MONAS)
    inside = {cell_middle(north_of(middle, metres)) for metres in range(-245, 246, 5)}
    assert inside == {middle}
    assert cell_middle(north_of(middle, 260)) != middle


def test_the_date_line_cuts_no_cell() -> None:
    """East and west of it are neighbours, at 180 and at -180 the same place is the same cell."""
    for latitude in (0.0, 51.3, -80.0):
        assert cell_middle(GeoPoint(latitude, 180)) == cell_middle(GeoPoint(latitude, -180))
        east, west = cell_middle(GeoPoint(latitude, 179.9999)), cell_middle(GeoPoint(latitude, -179.9999))
        assert 0.4 < distance_km(east, west) < 0.6


def test_distances_are_between_cells_and_rounded_up() -> None:
    """Half kilometres, whatever the places within the cells."""
    middle = cell_middle(MONAS)
    for metres in (-240, 0, 240):
        assert cell_distance_km(north_of(middle, metres), north_of(middle, 100)) == 0
        assert cell_distance_km(north_of(middle, metres), north_of(middle, 2000)) == 2.5


@pytest.mark.parametrize(("value", "up"), [(0, 0), (0.1, 0.5), (0.5, 0.5), (1.5 + 1e-12, 1.5), (1.51, 2)])
def test_rounding_up_leaves_multiples_alone(value: float, up: float) -> None:
    """Floats that are a hair above a multiple are that multiple."""
    assert round_up(value, 0.5) == up
