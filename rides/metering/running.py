"""How far a ride has come by now: an estimate, a fix at a time, by which whole kilometres are booked on the way.

It counts a leg when the phone is clearly further from where it last counted than noise takes it: so a stand counts
nothing, and corners within a leg are cut. What is billed in the end is `meter.measure` of the whole ride.
"""

from __future__ import annotations

import math

import msgspec

from rides.metering.fixes import EARTH_RADIUS_M, Fix, Limits, Reason, accuracy_of, leg
from rides.metering.sightings import UNKNOWN_ACCURACY_M, Sighting, sight

LEAST_LEG_M = 15.0
"""Metres that a leg has at least: shorter ones would follow the noise of good phones."""
CLEARLY = 5.0
"""Times the fix's accuracy that a leg has at least: of a standing phone, one fix in 500 is that far from another."""
AVERAGED_S = 3.0
"""Seconds over which places are averaged, against noise from fix to fix."""


class Progress(msgspec.Struct, frozen=True):
    """A ride under way: metres so far, where they were last counted, and the last fixes. It can be kept as JSON."""

    metres: float = 0.0
    counted_at: Fix | None = None
    last: Sighting | None = None
    recent: tuple[Fix, ...] = ()


def advance(progress: Progress, fix: Fix, limits: Limits) -> tuple[Progress, Reason]:
    """Return the progress after a fix, and why the fix was not used, if it was not."""
    last, reason = sight(progress.last, fix, limits)
    if reason or last is None:
        return msgspec.structs.replace(progress, last=last), reason
    if progress.counted_at is None or last.jumped:
        return Progress(progress.metres, fix, last, (fix,)), ""
    recent = (*[one for one in progress.recent[-4:] if fix.received_at - one.received_at < AVERAGED_S], fix)
    way = sum(leg(progress.counted_at, one) for one in recent) / len(recent)
    if abs(way) < max(LEAST_LEG_M, CLEARLY * (accuracy_of(fix) or UNKNOWN_ACCURACY_M)):
        return Progress(progress.metres, progress.counted_at, last, recent), ""
    return Progress(progress.metres + abs(way), _moved(progress.counted_at, way), last, recent), ""


def _moved(fix: Fix, way: complex) -> Fix:
    across = max(math.cos(math.radians(fix.latitude + math.degrees(way.imag / EARTH_RADIUS_M / 2))), 1e-6)
    latitude = fix.latitude + math.degrees(way.imag / EARTH_RADIUS_M)
    longitude = math.remainder(fix.longitude + math.degrees(way.real / EARTH_RADIUS_M / across), 360)
    return msgspec.structs.replace(fix, latitude=min(max(latitude, -90.0), 90.0), longitude=longitude)
