"""What the phone's own speed is good for.

A phone measures its speed by the Doppler shift of the satellites' signals, to some 0.1 to 0.5 m/s where its place is
off by ten metres. It is believed for the shape of the ride, not for its length: on calm stretches, where the places
give the length well, it is compared with them, block by block. Where the two agree but for one factor near 1, the
speeds, times that factor, give the length of the driven stretches. A phone that says 0 while it moves, another unit or
anything else that does not go with its places is not used.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from rides.metering.smoothing import Track

CALM = 0.45
"""Of liveliness, which has a third at least: below it a stretch is straight and even enough to believe its places."""
MOVING_MS = 3.0
BLOCK_S, BLOCKS = 10.0, 5
"""Seconds of calm legs that are compared together, and how many such blocks are needed."""
SOUND, CLOSE = 30, 0.03
"""Blocks that it takes to believe in another factor than 1 as much as in 1, if they differ by no more than this."""
LEAST, MOST, SCATTER = 0.93, 1.07, 0.2
"""Bounds of the factor, and of how much blocks may differ from it, as a median."""
OFTEN_S = 2.5
"""Seconds between fixes beyond which their speeds miss what happens in between."""


def legs_by_speed(speeds: Sequence[float | None], track: Track) -> list[float] | None:
    """Return the metres of each leg by the speeds at its ends; None where they are not known often enough."""
    gaps = track.gaps()
    if statistics.median(gaps) > OFTEN_S:
        return None
    legs: list[float] = []
    for n, gap in enumerate(gaps):
        a, b = speeds[n], speeds[n + 1]
        if a is None or b is None or gap > 2 * OFTEN_S:
            legs.append(-1.0)
        else:
            legs.append((a + b) / 2 * gap)
    return legs if legs.count(-1.0) < len(legs) / 10 else None


def factor(
    by_speed: Sequence[float],
    legs: Sequence[float],
    gaps: Sequence[float],
    liveliness: Sequence[float],
    driven: Sequence[int],
) -> float | None:
    """Return by what to multiply the legs by speed; None where they do not go with the `legs` by place.

    `driven` are the numbers of the legs to compare. The fewer blocks there are and the more they differ, the nearer is
    the factor to 1, which it is for any sound phone.
    """
    calm = [n for n in driven if liveliness[n] < CALM and by_speed[n] >= 0 and legs[n] > MOVING_MS * gaps[n]]
    ratios = list(_ratios(by_speed, legs, gaps, calm))
    if len(ratios) < BLOCKS:  # a jam: all that is driven, as one block
        known = [n for n in driven if by_speed[n] >= 0]
        ratios = [sum(legs[n] for n in known) / max(sum(by_speed[n] for n in known), 1.0)]
    usual = statistics.median(ratios)
    if not LEAST < usual < MOST:
        return None
    scatter = statistics.median(abs(ratio / usual - 1) for ratio in ratios)
    weight = len(ratios) * (CLOSE / max(scatter, CLOSE)) ** 2
    return (usual * weight + SOUND) / (weight + SOUND) if scatter < SCATTER else None


def _ratios(
    by_speed: Sequence[float], legs: Sequence[float], gaps: Sequence[float], calm: Sequence[int]
) -> Iterator[float]:
    """Yield, for each block of calm legs in a row, its metres by place by those by speed."""
    seconds = placed = spoken = 0.0
    for n, before in zip(calm, (-1, *calm), strict=False):
        if n != before + 1:
            seconds = placed = spoken = 0.0
        seconds, placed, spoken = seconds + gaps[n], placed + legs[n], spoken + by_speed[n]
        if seconds >= BLOCK_S:
            if spoken:
                yield placed / spoken
            seconds = placed = spoken = 0.0
