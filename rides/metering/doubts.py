"""What no honest phone reports: a ride with one of these is shown to staff. None of them changes what is billed.

What cannot have been driven is not billed in the first place: the meter leaves out fixes and jumps that no vehicle
follows, and takes what shakes faster than a vehicle can for noise.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal

from rides.metering.clock import true_times
from rides.metering.fixes import Fix, Limits, accuracy_of, leg, unusable
from rides.metering.meter import Measurement

Doubt = Literal["perfect_accuracy", "jitter", "jumps", "implausible_fixes", "apart"]

ENOUGH = 20
"""Fixes below which nothing is said of a phone."""
SHAKING_M, TIMES_ACCURACY, LEAST_SHAKING_M = 45.0, 4.0, 20.0
"""Metres of noise of a phone that claims no accuracy; times what it claims; and metres that are never doubted."""
JUMPS_M = 1000.0
"""Metres of jumps that no vehicle can have made: more than the worst reflections."""
IMPLAUSIBLE = 0.3
"""The share of fixes that a vehicle cannot follow."""
APART_M, APART_FIXES, APART_S = 250.0, 10, 120.0
"""Metres between the phones of driver and passenger beyond their noise, for so many fixes and seconds together."""


def doubts(fixes: Sequence[Fix], measurement: Measurement) -> list[Doubt]:
    """Return what is suspicious about the driver's fixes of a ride."""
    found: list[Doubt] = []
    if len(fixes) < ENOUGH:
        return found
    accuracies = [fix.accuracy for fix in fixes if fix.accuracy is not None]
    if len(accuracies) >= ENOUGH and not any(accuracies):
        found.append("perfect_accuracy")
    claimed = statistics.median(accuracies) if accuracies else 0.0
    if measurement.noise.sigma > (max(LEAST_SHAKING_M, TIMES_ACCURACY * claimed) if claimed else SHAKING_M):
        found.append("jitter")
    if sum(measurement.jumps) > JUMPS_M:
        found.append("jumps")
    if measurement.reasons.count("spike") > IMPLAUSIBLE * len(fixes):
        found.append("implausible_fixes")
    return found


def apart(driver: Sequence[Fix], passenger: Sequence[Fix], limits: Limits) -> bool:
    """Tell whether the two phones of a ride were clearly in different places for some time.

    The passenger's may be at home, where somebody else rides: it is a question for staff, not a proof.
    """
    there = _places(driver, limits)
    away: list[float] = []
    for at, fix in _places(passenger, limits):
        distance = _distance(there, at, fix)
        if distance is None:
            continue
        if distance < APART_M:
            away = []
            continue
        away.append(at)
        if len(away) >= APART_FIXES and away[-1] - away[0] >= APART_S:
            return True
    return False


def _places(fixes: Sequence[Fix], limits: Limits) -> list[tuple[float, Fix]]:
    arrived = sorted(fixes, key=lambda fix: fix.received_at)
    timed = zip(true_times(arrived), arrived, strict=True)
    return sorted(((at, fix) for at, fix in timed if not unusable(fix, limits)), key=lambda pair: pair[0])


def _distance(there: Sequence[tuple[float, Fix]], at: float, fix: Fix) -> float | None:
    """Return how far a fix is from the driver's at that time, less their noise; None where the driver said nothing."""
    n = bisect_left(there, at, key=lambda pair: pair[0])
    near = [pair for pair in there[max(0, n - 1) : n + 1] if abs(pair[0] - at) < 15]
    if not near:
        return None
    return min(
        abs(leg(other, fix)) - 3 * ((accuracy_of(other) or 10.0) + (accuracy_of(fix) or 10.0)) for _, other in near
    )
