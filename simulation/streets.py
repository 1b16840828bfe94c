"""Ways through a town whose streets cross at right angles, and how a vehicle comes along them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from rides.geo import GeoPoint, distance_km

METRES_PER_DEGREE = 111_195.0
GRID_ANGLE = math.radians(8)
"""How far the streets are turned against the points of the compass."""

BLOCK_M = 350.0
"""About how far it is from one turn to the next."""

PACE_VARIES = (0.6, 1.2)
"""The pace of a second lies between these shares of the usual one."""

LIGHT_IS_RED = 0.35
"""How often one has to wait at a corner."""

LIGHT_SECONDS = (4, 20)


def place_near(center: GeoPoint, metres: float, rng: random.Random) -> GeoPoint:
    """Return a random place at most so many metres away."""
    reach, angle = metres * math.sqrt(rng.random()), rng.random() * 2 * math.pi
    return place_at(center, reach, angle)


def place_at(center: GeoPoint, metres: float, angle: float) -> GeoPoint:
    """Return the place so many metres away in the direction of `angle` (radians, from east to north)."""
    return _moved(center, metres * math.cos(angle), metres * math.sin(angle))


def way(start: GeoPoint, target: GeoPoint, rng: random.Random) -> list[GeoPoint]:
    """Return the corners of a way along the streets, the last of which is the target."""
    along, across = _in_grid(start, target)
    turns = max(1, round((abs(along) + abs(across)) / BLOCK_M / 2))
    corners, here = [], start
    for _ in range(turns - 1):
        for share in rng.sample([(along / turns, 0.0), (0.0, across / turns)], 2):
            here = _from_grid(here, *share)
            corners.append(here)
    along, across = _in_grid(here, target)
    corners.append(_from_grid(here, along, 0))
    return [*corners, target]


def straight(start: GeoPoint, target: GeoPoint, step_km: float) -> Iterator[GeoPoint]:
    """Yield the places of equal steps in a straight line, the last of which is the target itself."""
    here = start
    while here != target:
        left = distance_km(here, target)
        if left <= step_km:
            here = target
        else:
            share = step_km / left
            here = GeoPoint(
                here.latitude + (target.latitude - here.latitude) * share,
                here.longitude + (target.longitude - here.longitude) * share,
            )
        yield here


def drive(start: GeoPoint, target: GeoPoint, step_km: float, speed: float, rng: random.Random) -> Iterator[GeoPoint]:
    """Yield where a vehicle is after each step on its way: now faster, now slower, and at times at a red light.

    `step_km` is the usual length of a step; at `speed` 2 a light is red for half as many steps.
    """
    here = start
    corners: Sequence[GeoPoint] = way(start, target, rng)
    for corner in corners:
        step = _even(distance_km(here, corner), step_km * rng.uniform(*PACE_VARIES))
        for here in straight(here, corner, step):  # noqa: B020
            yield here
        if corner != target and rng.random() < LIGHT_IS_RED:
            yield from [corner] * round(rng.uniform(*LIGHT_SECONDS) / speed)


def _even(km: float, step_km: float) -> float:
    """Return a step that leaves no rest of a way: a tiny last step would be a stop at once, which no vehicle makes."""
    return km / max(1, math.ceil(km / step_km)) * (1 + 1e-9)


def _moved(point: GeoPoint, east: float, north: float) -> GeoPoint:
    latitude = point.latitude + north / METRES_PER_DEGREE
    longitude = point.longitude + east / METRES_PER_DEGREE / math.cos(math.radians(point.latitude))
    return GeoPoint(round(latitude, 6), round(longitude, 6))


def _in_grid(start: GeoPoint, target: GeoPoint) -> tuple[float, float]:
    """Return how many metres a place lies along the streets of one direction and of the other."""
    north = (target.latitude - start.latitude) * METRES_PER_DEGREE
    east = (target.longitude - start.longitude) * METRES_PER_DEGREE * math.cos(math.radians(start.latitude))
    cos, sin = math.cos(GRID_ANGLE), math.sin(GRID_ANGLE)
    return east * cos + north * sin, north * cos - east * sin


def _from_grid(point: GeoPoint, along: float, across: float) -> GeoPoint:
    cos, sin = math.cos(GRID_ANGLE), math.sin(GRID_ANGLE)
    return _moved(point, along * cos - across * sin, along * sin + across * cos)
