"""How long a driver takes to a pick-up, and how long a way is. `ETA_BACKEND` names the class."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from common.errors import brief
from common.retrying import repetition
from rides.cells import cell_middle, round_up
from rides.geo import GeoPoint, distance_km

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

STEP_S = 60
"""Times are rounded up to this many seconds."""
MAX_PLACES = 100
"""Places of one table: the default limit of an OSRM server."""


class Way(msgspec.Struct, frozen=True):
    """The way from one place to another: kilometres and seconds."""

    km: float
    seconds: float


class ETABackend(Protocol):
    """Says how long ways take. When it raises, the great circle answers."""

    def seconds(self, origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
        """Return the seconds from each of some places to another.

        Called within the transaction of a search, for all its offers at once: it must have a time-out of well below a
        second, and may keep what it knows (places are the middles of cells, so the same ones come again).
        """

    def way(self, origin: GeoPoint, destination: GeoPoint) -> Way:
        """Return how long a way is, for quotes."""


class GreatCircleETA:
    """The great-circle distance, made longer by `ETA_DETOUR`, at `ETA_SPEED_KMH`."""

    def seconds(self, origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
        """Return the seconds from each of some places to another."""
        return [self.way(origin, destination).seconds for origin in origins]

    def way(self, origin: GeoPoint, destination: GeoPoint) -> Way:
        """Return how long a way is."""
        km = distance_km(origin, destination) * float(settings.ETA_DETOUR)
        return Way(km, km / float(settings.ETA_SPEED_KMH) * 3600)


class OSRMETA:
    """The roads of an OSRM server at `OSRM_URL` (project-osrm.org, HTTP API v1); asked for at most `OSRM_TIMEOUT`."""

    def seconds(self, origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
        """Return the seconds from each of some places to another, by its `table` service."""
        found: list[float] = []
        for start in range(0, len(origins), MAX_PLACES - 1):
            some = origins[start : start + MAX_PLACES - 1]
            sources = ";".join(str(n) for n in range(len(some)))
            answer = self._ask("table", [*some, destination], sources=sources, destinations=str(len(some)))
            detour = GreatCircleETA()
            rows = zip(some, answer["durations"], strict=True)
            found += [detour.way(place, destination).seconds if row[0] is None else row[0] for place, row in rows]
        return found

    def way(self, origin: GeoPoint, destination: GeoPoint) -> Way:
        """Return how long a way is, by its `route` service."""
        route = self._ask("route", [origin, destination], overview="false")["routes"][0]
        return Way(route["distance"] / 1000, route["duration"])

    def _ask(self, service: str, places: Sequence[GeoPoint], **options: str) -> Any:
        at = ";".join(f"{place.longitude:.6f},{place.latitude:.6f}" for place in places)
        response = _client().get(f"{settings.OSRM_URL}/{service}/v1/driving/{at}", params=options)
        answer = response.json()
        if response.status_code != HTTPStatus.OK or answer.get("code") != "Ok":
            raise ValueError(f"OSRM answered {response.status_code}: {answer.get('code')} {answer.get('message', '')}")
        return answer


def eta_seconds(origins: Sequence[GeoPoint], destination: GeoPoint) -> list[int]:
    """Return the seconds from the cell of each place to the destination's, rounded up to a minute, at least one."""
    if not origins:
        return []
    cells, target = [cell_middle(origin) for origin in origins], cell_middle(destination)
    return [max(STEP_S, int(round_up(seconds, STEP_S))) for seconds in _seconds(cells, target)]


def route_between(origin: GeoPoint, destination: GeoPoint) -> Way:
    """Return how long the way from one place to another is."""
    backend = _backend()
    try:
        return backend.way(origin, destination)
    except Exception as exc:
        _note_failure(exc)
        return GreatCircleETA().way(origin, destination)


def _seconds(origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
    try:
        return _backend().seconds(origins, destination)
    except Exception as exc:
        _note_failure(exc)
        return GreatCircleETA().seconds(origins, destination)


def _note_failure(exc: Exception) -> None:
    """Log why an engine has not answered, once a minute by reason: each position of each driver may ask it."""
    if repetition(_note_failure).is_new(reason := brief(exc)):
        logger.warning("%s failed; using the great circle: %s", settings.ETA_BACKEND, reason)


def _backend() -> ETABackend:
    backend: ETABackend = import_string(settings.ETA_BACKEND)()
    return backend


@cache
def _client() -> httpx.Client:
    """Return the connections of this process to the routing engine."""
    import httpx  # 0.1 s of start that nobody needs without a routing engine

    return httpx.Client(timeout=settings.OSRM_TIMEOUT.total_seconds())
