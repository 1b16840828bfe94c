"""Points on the earth and the distance between them."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec

if "numpy" in sys.modules:
    import haversine
else:  # it would load numpy for functions that nobody calls here: 16 MB in every process
    sys.modules["numpy"] = None  # type: ignore[assignment]
    import haversine

    del sys.modules["numpy"]

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
    return float(haversine.haversine((a.latitude, a.longitude), (b.latitude, b.longitude)))
