"""The grid finds everything that is in a circle, also where longitudes end or meet."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rides.geo import GeoPoint, distance_km
from rides.positions.grid import cell_of, cells_around

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)


def beside(point: GeoPoint, km: float, direction: float) -> GeoPoint:
    """The place so many kilometres away, on a great circle."""
    arc, latitude = km / 6371.0088, math.radians(point.latitude)
    north = math.asin(math.sin(latitude) * math.cos(arc) + math.cos(latitude) * math.sin(arc) * math.cos(direction))
    east = math.atan2(
        math.sin(direction) * math.sin(arc) * math.cos(latitude), math.cos(arc) - math.sin(latitude) * math.sin(north)
    )
    return GeoPoint(math.degrees(north), (point.longitude + math.degrees(east) + 180) % 360 - 180)


@given(LATITUDES, LONGITUDES, st.floats(0.01, 30), st.floats(0, 1), st.floats(0, 2 * math.pi))
@example(0.0, 180.0, 1.0, 1.0, math.pi / 2)
@example(0.0, -180.0, 1.0, 1.0, -math.pi / 2)
@example(89.9999, 10.0, 5.0, 1.0, 0.0)
@example(90.0, 0.0, 5.0, 1.0, 1.0)
@example(-90.0, 0.0, 0.01, 1.0, 1.0)
@example(0.0, 0.0, 30.0, 1.0, 0.0)
def test_the_cell_of_whatever_is_within_a_circle_is_among_its_cells(
    latitude: float, longitude: float, radius_km: float, share: float, direction: float
) -> None:
    """At the date line and the poles too, where longitudes end or mean nothing."""
    middle = GeoPoint(latitude, longitude)
    there = beside(middle, radius_km * share, direction)
    if distance_km(middle, there) <= radius_km:
        assert cell_of(there) in set(cells_around(middle, radius_km))


@given(LATITUDES, LONGITUDES, st.floats(0.01, 30))
def test_no_cell_comes_twice(latitude: float, longitude: float, radius_km: float) -> None:
    """Also where a circle reaches around the earth."""
    cells = list(cells_around(GeoPoint(latitude, longitude), radius_km))
    assert len(cells) == len(set(cells))


@pytest.mark.parametrize("latitude", [0, -6.2, 60, 85, 89.9, 90])
def test_a_circle_has_about_as_many_cells_everywhere(latitude: float) -> None:
    """Columns are about as wide as rows are high, so a search costs the same in the tropics and in the Arctic."""
    assert 300 <= len(list(cells_around(GeoPoint(latitude, 106.8), 5))) <= 560
