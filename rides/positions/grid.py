"""A grid over the earth, to find what is near without looking at all there is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rides.geo import GeoPoint

ROW_DEGREES = 0.005
"""556 m of latitude."""

ROWS = round(180 / ROW_DEGREES)

KM_PER_DEGREE = 111.0
"""Slightly less than the length of a degree of latitude, so that nothing within a circle is missed."""

Cell = tuple[int, int]


def cell_of(point: GeoPoint) -> Cell:
    """Return the cell that a place is in: the row, and the column within the row.

    Each row is divided into as many columns as make them about as wide as the row is high: so a circle touches as many
    cells everywhere, at the poles too, and the last column of a row is beside its first, across the date line.
    """
    row = _row(point.latitude)
    columns = _columns(row)
    return row, int((point.longitude + 180) / 360 * columns) % columns


def cells_around(point: GeoPoint, radius_km: float) -> Iterator[Cell]:
    """Yield the cells that a circle may touch, each once."""
    reach = radius_km / KM_PER_DEGREE
    wide = _half_width(point.latitude, reach)
    for row in range(_row(point.latitude - reach), _row(point.latitude + reach) + 1):
        columns = _columns(row)
        first = math.floor((point.longitude - wide + 180) / 360 * columns)
        last = math.floor((point.longitude + wide + 180) / 360 * columns)
        for column in range(first, min(last, first + columns - 1) + 1):
            yield row, column % columns


def _row(latitude: float) -> int:
    return min(max(math.floor((latitude + 90) / ROW_DEGREES), 0), ROWS - 1)


def _columns(row: int) -> int:
    middle = math.radians((row + 0.5) * ROW_DEGREES - 90)
    return max(1, round(2 * ROWS * math.cos(middle)))


def _half_width(latitude: float, reach: float) -> float:
    """Return how many degrees of longitude a circle reaches to each side; 180 where a pole is in it.

    From http://janmatuschek.de/LatitudeLongitudeBoundingCoordinates, section 3.3.
    """
    if abs(latitude) + reach >= 90:
        return 180.0
    sine = math.sin(math.radians(reach)) / math.cos(math.radians(latitude))
    return math.degrees(math.asin(sine)) if sine < 1 else 180.0
