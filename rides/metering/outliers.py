"""Which fixes to leave out: reflections, spikes, cell towers and everything else that the vehicle cannot have done.

Of all ways to go through the fixes in time the one is taken that keeps the most of them. From one kept fix to the next
the vehicle must be able to go: not faster than its kind, and from its velocity until then not with more force than
brakes have. The harder that is, the less the step is worth. A jump to anywhere is allowed, but costs as much as many
fixes left out: so a reflection is left out, and a phone that stays where it turned up is followed. (The longest path
through a graph without circles, from left to right: Bellman 1957.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from rides.metering.fixes import Fix, leg

FEIGNED = 4.0
"""Times its standard deviation as far as noise is believed: 1 of 3,000 fixes is beyond that (a Rayleigh tail)."""
BRAKING = 8.0
"""Metres a second squared that no vehicle exceeds: dry asphalt gives a friction coefficient of about 0.8."""
JUMP = 10.0
"""Fixes that a jump must gain; a reflection jumps there and back, so one of up to 20 fixes is left out."""
HARDSHIP = 2.0
"""Fixes that a step at the limit of the possible costs."""
BACK = 30
"""Fixes in a row that may be left out at most."""
BASELINE_S, SHORT_S = 5.0, 3.0
"""Seconds over which a velocity is taken, and below which the one before a jump is better."""


class Arrival(msgspec.Struct):
    """The best way to a fix: its worth, the fix before, whether by a jump, and the velocity (m/s) with its doubt."""

    worth: float
    before: int
    jumped: bool
    velocity: complex
    doubt: float


class Judge:
    """Says how hard it is for a vehicle to go from one fix to another."""

    def __init__(self, fixes: Sequence[Fix], times: Sequence[float], sigmas: Sequence[float], max_speed: float) -> None:
        self.fixes, self.times, self.sigmas, self.max_speed = fixes, times, sigmas, max_speed

    def reach(self, a: int, b: int) -> float:
        """Return how far one may be from the other at most, in metres."""
        return self.max_speed * abs(self.times[b] - self.times[a]) + self.feigned(a, b)

    def feigned(self, a: int, b: int) -> float:
        """Return how far noise alone may take them apart, in metres."""
        return FEIGNED * math.hypot(self.sigmas[a], self.sigmas[b])

    def hardship(self, a: int, b: int, arrival: Arrival) -> float:
        """Return the distance of a step by what is possible: from 0, easy, over 1, just possible."""
        way, seconds = leg(self.fixes[a], self.fixes[b]), self.times[b] - self.times[a]
        noise = self.feigned(a, b)
        possible = BRAKING * seconds * seconds / 2 + noise + arrival.doubt * seconds
        swerve = abs(way - arrival.velocity * seconds) / possible
        return max(abs(way) / (self.max_speed * seconds + noise), swerve)


def plausible(judge: Judge) -> list[tuple[int, bool]]:
    """Return the numbers of the fixes to keep, and for each whether a jump led there; the fixes are in time."""
    arrivals: list[Arrival] = []
    richest: list[int] = []  # up to each fix, the one that is worth most to come from
    for fix in range(len(judge.fixes)):
        arrivals.append(_arrive(judge, arrivals, richest[-1] if richest else -1, fix))
        last = richest[-1] if richest else fix
        richest.append(fix if arrivals[fix].worth >= arrivals[last].worth else last)
    kept: list[tuple[int, bool]] = []
    at = richest[-1] if richest else -1
    while at >= 0:
        kept.append((at, arrivals[at].jumped))
        at = arrivals[at].before
    return kept[::-1]


def _arrive(judge: Judge, arrivals: Sequence[Arrival], richest: int, fix: int) -> Arrival:
    """Return the best way to a fix."""
    by_jump = arrivals[richest].worth + 1 - JUMP if richest >= 0 else -math.inf
    best, before = max(by_jump, 1.0), -1  # or the ride begins here, and what was before is left out
    for other in range(fix - 1, max(-1, fix - 1 - BACK), -1):
        if arrivals[other].worth + 1 <= best:
            continue
        hard = judge.hardship(other, fix, arrivals[other])
        worth = arrivals[other].worth + 1 - HARDSHIP * hard**3
        if hard <= 1 and worth > best:
            best, before = worth, other
    if before < 0 and by_jump < 1:
        return Arrival(1.0, -1, False, 0j, judge.max_speed)
    if before < 0:
        return Arrival(best, richest, True, arrivals[richest].velocity, arrivals[richest].doubt)
    return Arrival(best, before, False, *_steer(judge, arrivals, before, fix))


def _steer(judge: Judge, arrivals: Sequence[Arrival], before: int, fix: int) -> tuple[complex, float]:
    """Return the velocity at a fix by the way that led there, and how much noise may have made of it."""
    first, jumped = before, arrivals[before].jumped
    for _ in range(6):
        earlier = arrivals[first].before
        if jumped or earlier < 0 or judge.times[fix] - judge.times[earlier] > BASELINE_S:
            break
        first, jumped = earlier, arrivals[earlier].jumped
    seconds = judge.times[fix] - judge.times[first]
    doubt = judge.feigned(first, fix) / seconds if seconds > 0 else judge.max_speed
    known = arrivals[before]
    if seconds < SHORT_S and known.doubt < doubt:
        return known.velocity, known.doubt + BRAKING * (judge.times[fix] - judge.times[before]) / 2
    return leg(judge.fixes[first], judge.fixes[fix]) / seconds, min(doubt, judge.max_speed)
