"""When a fix was made: the phone's clock tells how far apart, the server's clock what time it was.

A phone's clock may be wrong by anything (35 s, seven hours of a wrong zone, the 1,024 weeks of GPS), but over a ride it
runs true. A fix cannot come in before it is made, so the least difference between arrival and phone time is the clock's
error plus the network's shortest delay; what comes later (the backlog of a tunnel) was held up. Where the difference is
steady, jumps and is steady again, the phone's clock was set.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

from rides.metering.fixes import Fix

STEADY_S = 2.0
"""Seconds by which the delays of a mobile network may differ within one calm stretch."""
NEIGHBOURS = 3
"""Fixes on each side of a jump that must be steady: one late or wrong fix is no clock being set."""
FEW, BACKLOG_S = 5, 600.0
"""A connection of fewer fixes tells no clock by itself: a network that comes and goes delivers a backlog in parts."""
USUAL_GAP_S = 1.0
"""Between the last fix of a stretch and the first of the next, where the phone's clock may have been set between."""
NONSENSE_S = 60.0
"""A lone fix this far ahead of its neighbours has a broken time stamp."""


def true_times(fixes: Sequence[Fix]) -> list[float]:
    """Return when each fix was made, by the server's clock; `fixes` are in the order of their arrival."""
    times = [fix.received_at for fix in fixes]
    firsts = _first_copies(fixes)
    timed = [index for index, fix in enumerate(fixes) if fix.phone_time is not None]
    stretches = []
    for connection in dict.fromkeys(fixes[index].connection for index in timed):
        own = [index for index in timed if fixes[index].connection == connection]
        stretches += [_sound(fixes, stretch) for stretch in _split_where_set(fixes, own)]
    stretches = [sound for sound in stretches if sound]
    seen = [min(_lag(fixes[firsts[index]]) for index in sound) for sound in stretches]
    errors = [own if len(sound) >= FEW else _same_clock(own, seen) for sound, own in zip(stretches, seen, strict=True)]
    _keep_order(fixes, [[index for index in sound if firsts[index] == index] or sound for sound in stretches], errors)
    for sound, error in zip(stretches, errors, strict=True):
        for index in sound:
            times[index] = _phone(fixes[index]) + error
    return [times[first] for first in firsts]


def _first_copies(fixes: Sequence[Fix]) -> list[int]:
    """Return for each fix the number of its first copy, most often its own.

    A phone sends again on a new connection what was not answered on the last. Both copies were made at once, before the
    first came in: so a connection to a server that stood still, on which all is late, is of the clock of the others.
    """
    seen: dict[tuple[float, float, float], int] = {}
    numbers = []
    for index, fix in enumerate(fixes):
        key = None if fix.phone_time is None else (fix.phone_time, fix.latitude, fix.longitude)
        numbers.append(index if key is None else seen.setdefault(key, index))
    return numbers


def _keep_order(fixes: Sequence[Fix], stretches: Sequence[Sequence[int]], errors: list[float]) -> None:
    """Correct the errors of stretches that would reach into the next one, though phone and server say before it.

    On a slow network even the shortest delay is long, and a better one afterwards shows by how much at least.
    """
    for n in range(len(stretches) - 2, -1, -1):
        last, first = fixes[stretches[n][-1]], fixes[stretches[n + 1][0]]
        gap = _phone(first) - _phone(last)
        overlap = errors[n] - errors[n + 1] - gap
        if gap > 0 and overlap > 0 and last.received_at <= first.received_at:
            errors[n] -= overlap + min(gap, USUAL_GAP_S)


def _same_clock(error: float, others: Sequence[float]) -> float:
    """Return the error of the clock of a few fixes, which may all have been held up: that of another connection."""
    return min((other for other in others if 0 <= error - other < BACKLOG_S), default=error)


def _phone(fix: Fix) -> float:
    return fix.received_at if fix.phone_time is None else fix.phone_time


def _lag(fix: Fix) -> float:
    return fix.received_at - _phone(fix)


def _split_where_set(fixes: Sequence[Fix], own: Sequence[int]) -> list[Sequence[int]]:
    """Cut a connection's fixes where the phone's clock was set."""
    cuts = [0]
    for n in range(2, len(own) - 1):
        before = [fixes[index] for index in own[max(cuts[-1], n - NEIGHBOURS) : n]]
        after = [fixes[index] for index in own[n : n + NEIGHBOURS]]
        if _wavers(before) < STEADY_S and _wavers(after) < STEADY_S:
            jump = statistics.median(map(_lag, after)) - statistics.median(map(_lag, before))
            certain = STEADY_S + 2 * (_wavers(before) + _wavers(after))
            if abs(jump) > certain or _phone(after[0]) < _phone(before[-1]):
                cuts.append(n)
    return [own[a:b] for a, b in itertools.pairwise([*cuts, len(own)])]


def _wavers(fixes: Sequence[Fix]) -> float:
    """Return by how many seconds the lags differ; infinity for a backlog, whose fixes come in all at once."""
    lags = [_lag(fix) for fix in fixes]
    differ = max(lags) - min(lags)
    return differ if differ < fixes[-1].received_at - fixes[0].received_at else math.inf


def _sound(fixes: Sequence[Fix], stretch: Sequence[int]) -> list[int]:
    """Return the fixes whose time stamps are not broken; the others count as made when they came in."""
    lags = [_lag(fixes[index]) for index in stretch]
    usual = [statistics.median(lags[max(0, n - 5) : n + 6]) for n in range(len(lags))]
    return [index for index, lag, median in zip(stretch, lags, usual, strict=True) if lag >= median - NONSENSE_S]
