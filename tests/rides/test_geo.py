import math

import pytest

from rides.geo import GeoPoint, distance_km

RADIUS = 6371.0088


@pytest.mark.parametrize(
    ("a", "b", "kilometres"),
    [
        (GeoPoint(0, 0), GeoPoint(0, 1), RADIUS * math.pi / 180),
        (GeoPoint(-90, 0), GeoPoint(90, 0), RADIUS * math.pi),
        (GeoPoint(0, -179.5), GeoPoint(0, 179.5), RADIUS * math.pi / 180),
        (GeoPoint(-6.1754, 106.8272), GeoPoint(-6.1754, 106.8272), 0),
    ],
    ids=["a degree of the equator", "pole to pole", "over the date line", "nowhere"],
)
def test_distances_are_great_circles_on_the_mean_radius(a: GeoPoint, b: GeoPoint, kilometres: float) -> None:
    assert distance_km(a, b) == pytest.approx(kilometres, abs=1e-9)


def test_opposite_ends_of_the_earth_have_a_distance() -> None:
    for latitude in range(-90, 91, 7):
        for longitude in range(-180, 1, 13):
            there = GeoPoint(-latitude, longitude + 180)
            assert distance_km(GeoPoint(latitude, longitude), there) == pytest.approx(RADIUS * math.pi)
