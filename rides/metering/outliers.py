"""Which fixes to leave out: reflections, spikes, cell towers and everything else that the vehicle cannot have done.

Fixes are sorted into chains. A fix joins the chain that it continues best, from that chain's place and velocity, within
what a vehicle can do and noise can feign; one that continues none begins a chain. A reflection is a short chain while
another goes on. The long chains are the ride; where the next begins somewhere else, the jump is not driven.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from rides.metering.fixes import Fix, leg

FEIGNED = 4.0
"""Times its standard deviation is as far as noise is believed: 1 of 3,000 fixes is beyond that (a Rayleigh tail)."""
BRAKING = 8.0
"""Metres a second squared that no vehicle exceeds: dry asphalt gives a friction coefficient of about 0.8."""
MEMORY_S = 60.0
"""Seconds after which a chain is not continued: whoever comes back then has come back."""
GOING_ON = 3
"""Fixes elsewhere after which a chain's place is too uncertain to be continued before the others."""
BASELINE_S = 5.0
"""Seconds over which a chain's velocity is taken."""
SHORT = 3
"""Fixes that a chain needs to be believed beside a longer one."""
EXCURSION_S = 60.0
"""Seconds that a chain may last which is reached and left by jumps, to be taken for a reflection."""


class Chain(msgspec.Struct):
    """Fixes (by their number) that follow from each other, and the velocity at the last of them (m/s)."""

    members: list[int]
    velocity: complex = 0j
    baseline: float = 0.0
    begun_by_jump: bool = False


class Judge:
    """Says how well a fix continues a chain: up to 1 it can, above it cannot."""

    def __init__(self, fixes: Sequence[Fix], times: Sequence[float], sigmas: Sequence[float], max_speed: float) -> None:
        self.fixes, self.times, self.sigmas, self.max_speed = fixes, times, sigmas, max_speed

    def reach(self, a: int, b: int) -> float:
        """Return how far one may be from the other at most, in metres."""
        return self.max_speed * abs(self.times[b] - self.times[a]) + self.feigned(a, b)

    def feigned(self, a: int, b: int) -> float:
        """Return how far noise alone may take them apart, in metres."""
        return FEIGNED * math.hypot(self.sigmas[a], self.sigmas[b])

    def strain(self, chain: Chain, fix: int) -> float:
        """Return how hard it is for a chain to go on with this fix: the distance by what is possible."""
        last = chain.members[-1]
        way, seconds = leg(self.fixes[last], self.fixes[fix]), self.times[fix] - self.times[last]
        noise = self.feigned(last, fix)
        doubt = noise * seconds / chain.baseline if chain.baseline else self.max_speed * seconds
        swerve = abs(way - chain.velocity * seconds) / (BRAKING * seconds * seconds / 2 + noise + doubt)
        return max(abs(way) / self.reach(last, fix), swerve)


def chains_of(judge: Judge) -> list[Chain]:
    """Sort fixes, which are in the order of their times, into chains."""
    chains: list[Chain] = []
    for fix in range(len(judge.fixes)):
        open_ = [c for c in chains[-8:] if c is chains[-1] or judge.times[fix] - judge.times[c.members[-1]] < MEMORY_S]
        best, strain = _best(judge, open_, fix)
        if strain <= 1:
            best.members.append(fix)
            _steer(judge, best)
        else:
            chains.append(Chain([fix], best.velocity, best.baseline, begun_by_jump=bool(chains)))
    return chains


def _best(judge: Judge, chains: Sequence[Chain], fix: int) -> tuple[Chain, float]:
    """Return the chain that a fix continues best, and its strain: the longest of those that still go on.

    So one bad fix that begins a chain does not tear the others in two; but a reflection that lasts is kept together.
    """
    if not chains:
        return Chain([]), math.inf
    strains = [(judge.strain(chain, fix), chain) for chain in chains]
    going_on = [pair for pair in strains if pair[0] <= 1 and fix - pair[1].members[-1] <= GOING_ON]
    if going_on:
        strain, chain = max(going_on, key=lambda pair: len(pair[1].members))
    else:
        strain, chain = min(strains, key=lambda pair: pair[0])
    return chain, strain


def _steer(judge: Judge, chain: Chain) -> None:
    """Take the velocity at a chain's end."""
    last, first = chain.members[-1], chain.members[-2]
    for member in reversed(chain.members[-7:-1]):
        if judge.times[last] - judge.times[member] > BASELINE_S:
            break
        first = member
    seconds = judge.times[last] - judge.times[first]
    if seconds > 0:
        chain.velocity, chain.baseline = leg(judge.fixes[first], judge.fixes[last]) / seconds, seconds


def believed(judge: Judge, chains: Sequence[Chain]) -> list[Chain]:
    """Return the chains that make the ride, in their order: the longest first claim their time."""
    kept: list[Chain] = []
    for chain in sorted(chains, key=lambda chain: -len(chain.members)):
        apart = all(chain.members[-1] < other.members[0] or other.members[-1] < chain.members[0] for other in kept)
        if apart and (len(chain.members) >= SHORT or not kept):
            kept.append(chain)
    kept.sort(key=lambda chain: chain.members[0])
    return [chain for n, chain in enumerate(kept) if not _is_excursion(judge, kept, n)]


def _is_excursion(judge: Judge, kept: Sequence[Chain], n: int) -> bool:
    """Tell whether a chain is reached and left by jumps, both within seconds, and short."""
    if not 0 < n < len(kept) - 1:
        return False
    members = kept[n].members
    seconds = judge.times[members[-1]] - judge.times[members[0]]
    return seconds < EXCURSION_S and kept[n].begun_by_jump and kept[n + 1].begun_by_jump
