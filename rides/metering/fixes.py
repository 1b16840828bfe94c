"""What phones report, and the geometry that the meter needs."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the earth, as in `rides.geo`."""

Reason = Literal["", "no_fix", "inaccurate", "before_start", "duplicate", "late", "spike", "too_fast"]
"""Why a fix does not count; empty where it does. Only the running estimate says `late` and `too_fast`."""


class Fix(msgspec.Struct, frozen=True):
    """A position as a phone reported it: degrees, metres, m/s, and seconds since 1970.

    `received_at` is the server's clock, `phone_time` the phone's; a fix without the latter counts as made when it came
    in. `connection` tells the clocks of two phones apart, and of one phone before and after it was away.
    """

    latitude: float
    longitude: float
    received_at: float
    phone_time: float | None = None
    connection: str = ""
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None


class Limits(msgspec.Struct, frozen=True):
    """What a vehicle can do; `max_speed_kmh` 0 means: no plausibility of speed, as simulations at any pace need."""

    max_accuracy_m: float = 50.0
    max_speed_kmh: float = 200.0


def accuracy_of(fix: Fix) -> float | None:
    """Return a fix's accuracy, at least a metre; None where the phone does not know it (some then say 0 or -1)."""
    return max(fix.accuracy, 1.0) if fix.accuracy is not None and fix.accuracy > 0 else None


def leg(a: Fix, b: Fix) -> complex:
    """Return the way from one fix to another, metres east + i north; its length is that of the great circle."""
    south, north = math.radians(a.latitude), math.radians(b.latitude)
    up, across = north - south, math.remainder(math.radians(b.longitude - a.longitude), 2 * math.pi)
    half = math.sin(up / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(across / 2) ** 2
    metres = 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))
    towards = complex(across * math.cos((south + north) / 2), up)
    return towards * (metres / abs(towards)) if towards else 0j


def unusable(fix: Fix, limits: Limits) -> Reason:
    """Return why a fix says nothing of where the phone is, whatever came before."""
    if fix.latitude == 0 and fix.longitude == 0:  # what a phone without any fix sends
        return "no_fix"
    if fix.accuracy is not None and fix.accuracy > limits.max_accuracy_m:
        return "inaccurate"
    return ""
