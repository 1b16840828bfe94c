"""Points on the earth and the distance between them."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import Annotated

import msgspec

EARTH_RADIUS_KM = 6371.0088
"""The mean radius (IUGG)."""

Latitude = Annotated[
    float, msgspec.Meta(ge=-90, le=90, description="Degrees north of the equator (WGS 84).", examples=[-6.1754])
]
Longitude = Annotated[
    float, msgspec.Meta(ge=-180, le=180, description="Degrees east of Greenwich (WGS 84).", examples=[106.8272])
]


class GeoPoint(msgspec.Struct, frozen=True):
    """A place, in degrees (WGS 84)."""

    latitude: Latitude
    longitude: Longitude


def distance_km(a: GeoPoint, b: GeoPoint) -> float:
    """Return the great-circle distance in kilometres, on a sphere of the mean earth radius, 6371.0088 km.

    >>> round(distance_km(GeoPoint(0, 0), GeoPoint(0, 1)), 4)  # one degree along the equator
    111.1951
    """
    # the haversine formula, which is exact for small distances too
    latitude_a, latitude_b = radians(a.latitude), radians(b.latitude)
    north, east = latitude_b - latitude_a, radians(b.longitude) - radians(a.longitude)
    chord = sin(north * 0.5) ** 2 + cos(latitude_a) * cos(latitude_b) * sin(east * 0.5) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(chord))
