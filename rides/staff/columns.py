"""Columns of admin lists and pages, in people's units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin

from rides.geo import GeoPoint
from rides.money import rupiah
from rides.staff.units import distance, distance_exact

Column = Callable[[Any, Any], str]
"""A method of an admin class; it gets the record."""


def money(attribute: str, name: Any) -> Column:
    """Return a column with an amount, as in Rp 12.500."""
    return _column(attribute, name, rupiah)


def kilometres(attribute: str, name: Any) -> Column:
    """Return a column with kilometres to the metre."""
    return _column(attribute, name, lambda km: distance_exact(float(km)))


def rough_distance(attribute: str, name: Any) -> Column:
    """Return a column with a distance as people say it."""
    return _column(attribute, name, distance)


def place(attribute: str, name: Any) -> Column:
    """Return a column with a place, to about a metre."""
    return _column(attribute, name, _coordinates)


def unit(attribute: str, name: Any, written: str) -> Column:
    """Return a column with a number and its unit; empty for none. `written` is as in "{:.0f} m"."""
    return _column(attribute, name, lambda number: "" if number is None else written.format(number))


def _column(attribute: str, name: Any, write: Callable[[Any], str]) -> Column:
    @admin.display(description=name)
    def column(_: Any, row: Any) -> str:
        return write(getattr(row, attribute))

    return column


def _coordinates(point: GeoPoint) -> str:
    return f"{point.latitude:.5f}, {point.longitude:.5f}"
