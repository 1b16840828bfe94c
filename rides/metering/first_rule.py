"""Rule 1, by which rides were billed until the meter knew of noise: the sum of the great circles between fixes.

Rides that were booked under it keep it. `meter` has the rule of today.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

import msgspec

from rides.geo import GeoPoint, distance_km
from rides.metering.fixes import Fix, Limits

RULE = 1
MAX_CLOCK_SKEW_S = 30.0
"""Seconds by which a phone's clock may be ahead."""

Refusal = Literal["", "inaccurate", "in_the_future", "before_start", "out_of_order", "too_fast"]


class Track(msgspec.Struct, frozen=True):
    """How far a ride's track has come: when it began, the last accepted fix and its time, and the sum of its legs."""

    started_at: float
    last: GeoPoint
    at: float
    km: float = 0.0


def refusal(track: Track, fix: Fix, limits: Limits) -> Refusal:
    """Return why a fix does not count; empty when it does."""
    at = when(fix)
    if fix.accuracy is not None and fix.accuracy > limits.max_accuracy_m:
        return "inaccurate"
    if at > fix.received_at + MAX_CLOCK_SKEW_S:
        return "in_the_future"
    if at < track.started_at:
        return "before_start"
    if at < track.at:
        return "out_of_order"
    km = distance_km(track.last, GeoPoint(fix.latitude, fix.longitude))
    is_too_fast = limits.max_speed_kmh and km > limits.max_speed_kmh * (at - track.at) / 3600
    return "too_fast" if is_too_fast else ""


def advance(track: Track, fix: Fix) -> Track:
    """Return the track after an accepted fix."""
    point = GeoPoint(fix.latitude, fix.longitude)
    return Track(track.started_at, point, when(fix), track.km + distance_km(track.last, point))


def length_km(points: Iterable[GeoPoint]) -> float:
    """Return the length of a track from its kept, accepted points, added up as `advance` did."""
    km = 0.0
    for a, b in pairwise(points):
        km += distance_km(a, b)
    return km


def when(fix: Fix) -> float:
    """Return when a fix was made: what the phone says, else when it came in."""
    return fix.received_at if fix.phone_time is None else fix.phone_time
