"""Places as others may know them before a match is accepted: the middle of a fixed cell of about 500 m.

The cells do not depend on who asks or how often, so a hundred questions tell no more than one. Rows are 0.0045 degrees
of latitude high; each row is divided into as many cells as make them about as wide, so none is cut at the date line.
"""

from __future__ import annotations

import math

from rides.geo import GeoPoint, distance_km

ROW_DEGREES = 0.0045
"""500.4 m on the sphere that distances are measured on."""

ROWS = round(90 / ROW_DEGREES)
"""From the equator to a pole."""

STEP_KM = 0.5
"""Distances between cells are rounded up to this."""

DIGITS = 6
"""After the decimal point: a tenth of a metre."""


def cell_middle(point: GeoPoint) -> GeoPoint:
    """Return the middle of the cell that a place is in; it is at most 360 m away."""
    row = min(max(math.floor(point.latitude / ROW_DEGREES), -ROWS), ROWS - 1)
    latitude = (row + 0.5) * ROW_DEGREES
    cells = max(1, round(360 * math.cos(math.radians(latitude)) / ROW_DEGREES))
    width = 360 / cells
    column = math.floor((point.longitude + 180) / width) % cells
    return GeoPoint(round(latitude, DIGITS), round((column + 0.5) * width - 180, DIGITS))


def cell_distance_km(a: GeoPoint, b: GeoPoint) -> float:
    """Return the distance between the cells of two places, rounded up to `STEP_KM`."""
    return round_up(between_cells_km(a, b), STEP_KM)


def between_cells_km(a: GeoPoint, b: GeoPoint) -> float:
    """Return the distance between the middles of the cells of two places."""
    return distance_km(cell_middle(a), cell_middle(b))


def round_up(value: float, step: float) -> float:
    """Return the next multiple of a step; a multiple stays itself, whatever floats add to it."""
    return math.ceil(round(value / step, 6)) * step
