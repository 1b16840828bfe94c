"""When a fix was made: the phone's clock tells how far apart, the server's clock what time it was.

A phone's clock may be wrong by anything (35 s, seven hours of a wrong zone, the 1,024 weeks of GPS), but over a ride it
runs true. A fix cannot come in before it is made, so the least difference between arrival and phone time around it is
the clock's error plus the network's shortest delay; what comes later (the backlog of a tunnel) was held up. Where the
difference is steady, jumps and is steady again, the phone's clock was set.
"""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from collections.abc import Sequence

from rides.metering.fixes import Fix

STEADY_S = 2.0
"""Seconds by which the delays of a mobile network may differ within one calm stretch."""
NEIGHBOURS = 3
"""Fixes on each side of a jump that must be steady, so that one late or wrong fix is not taken for a clock being set."""
ENVELOPE_S = 30.0
"""Seconds around a fix whose least delay counts: longer than most stalls, shorter than a drift needs to be seen."""
NONSENSE_S = 60.0
"""A lone fix this far ahead of its neighbours has a broken time stamp."""


def true_times(fixes: Sequence[Fix]) -> list[float]:
    """Return when each fix was made, by the server's clock; `fixes` are in the order of their arrival."""
    times = [fix.received_at for fix in fixes]
    timed = [index for index, fix in enumerate(fixes) if fix.phone_time is not None]
    for connection in dict.fromkeys(fixes[index].connection for index in timed):
        own = [index for index in timed if fixes[index].connection == connection]
        for stretch in _split_where_set(fixes, own):
            for index, error in zip(stretch, _errors(fixes, stretch), strict=True):
                times[index] = _phone(fixes[index]) + error
    return times


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
        if _steady(before) and _steady(after):
            jump = statistics.median(map(_lag, after)) - statistics.median(map(_lag, before))
            if abs(jump) > STEADY_S or _phone(after[0]) < _phone(before[-1]):
                cuts.append(n)
    return [own[a:b] for a, b in itertools.pairwise([*cuts, len(own)])]


def _steady(fixes: Sequence[Fix]) -> bool:
    """Tell whether fixes came in as they were made, by the phone's clock; those of a backlog come in all at once."""
    lags = [_lag(fix) for fix in fixes]
    return max(lags) - min(lags) < min(STEADY_S, fixes[-1].received_at - fixes[0].received_at)


def _errors(fixes: Sequence[Fix], stretch: Sequence[int]) -> list[float]:
    """Return by how much the phone's clock is off at each fix: the least lag of those that came in around it."""
    lags = [_lag(fixes[index]) for index in stretch]
    medians = [statistics.median(lags[max(0, n - 5) : n + 6]) for n in range(len(lags))]
    sound = [n for n, lag in enumerate(lags) if lag >= medians[n] - NONSENSE_S]
    errors = list(lags)  # a fix with a broken time stamp counts as made when it came in
    arrivals = [fixes[stretch[n]].received_at for n in sound]
    for n, least in zip(sound, _least_around(arrivals, [lags[n] for n in sound]), strict=True):
        errors[n] = least
    return errors


def _least_around(at: Sequence[float], values: Sequence[float]) -> list[float]:
    """Return, for each of these moments in order, the least value within `ENVELOPE_S` of it."""
    window: deque[int] = deque()  # with rising values, the least first
    least, ahead = [], 0
    for now in at:
        while ahead < len(at) and at[ahead] <= now + ENVELOPE_S:
            while window and values[window[-1]] >= values[ahead]:
                window.pop()
            window.append(ahead)
            ahead += 1
        while at[window[0]] < now - ENVELOPE_S:
            window.popleft()
        least.append(values[window[0]])
    return least
