"""How long a driver takes to a pick-up. `ETA_BACKEND` names the class; a routing engine is another one like it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from rides.cells import cell_middle, round_up
from rides.geo import GeoPoint, distance_km

logger = logging.getLogger(__name__)

STEP_S = 60
"""Times are rounded up to this many seconds."""


class ETABackend(Protocol):
    """Says how long ways take."""

    def seconds(self, origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
        """Return the seconds from each of some places to another.

        Called within the transaction of a search, for all its offers at once: it must have a time-out of well below a
        second, and may keep what it knows (places are the middles of cells, so the same ones come again). When it
        raises, the great circle answers.
        """


class GreatCircleETA:
    """The great-circle distance, made longer by `ETA_DETOUR`, at `ETA_SPEED_KMH`."""

    def seconds(self, origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
        """Return the seconds from each of some places to another."""
        metres_per_second = float(settings.ETA_SPEED_KMH) / 3.6
        detour = float(settings.ETA_DETOUR)
        return [distance_km(origin, destination) * 1000 * detour / metres_per_second for origin in origins]


def eta_seconds(origins: Sequence[GeoPoint], destination: GeoPoint) -> list[int]:
    """Return the seconds from the cell of each place to the destination's, rounded up to a minute, at least one."""
    if not origins:
        return []
    cells, target = [cell_middle(origin) for origin in origins], cell_middle(destination)
    return [max(STEP_S, int(round_up(seconds, STEP_S))) for seconds in _seconds(cells, target)]


def _seconds(origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
    try:
        backend: ETABackend = import_string(settings.ETA_BACKEND)()
        return backend.seconds(origins, destination)
    except Exception:
        logger.exception("%s failed; using the great circle.", settings.ETA_BACKEND)
        return GreatCircleETA().seconds(origins, destination)
