"""How far a ride was driven, from all its fixes: the distance that is billed.

    measure(fixes, limits, started_at) -> Measurement(metres, reasons, track, flags)

In this order: when was each fix made (`clock`); which fixes cannot be (`outliers`); how much noise is there, and what
track is under it (`smoothing`); where does the vehicle stand; how long is the rest. The result does not depend on the
order in which fixes came in or are handed over, only on what they say, so it can be computed again from the kept fixes.
A track without noise is left as it is: its length is the sum of the great circles between its fixes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from rides.metering.clock import true_times
from rides.metering.fixes import EARTH_RADIUS_M, Fix, Limits, Reason, accuracy_of, leg, unusable
from rides.metering.outliers import Judge, plausible
from rides.metering.smoothing import (
    CALM_AGILITY,
    UNKNOWN_SIGMA_M,
    Noise,
    Smoothed,
    Track,
    estimate,
    even_agilities,
    is_silent,
    settle,
    smooth,
    speed_noise,
)
from rides.metering.speeds import factor, legs_by_speed

RULE = 2
"""The number of this way to measure; a ride keeps that of its booking. Rule 1 was the sum of all great circles."""

BEFORE_START_S = 5.0
"""Seconds that a fix may seem older than the ride, by delays that the clock's correction cannot see."""
REPEATED_M = 0.3
"""Metres: a fix so near to the one before is the same one, told again or by another source; noise is never so small."""
HELD_S = 10.0
"""Seconds for which a place may only be repeated; for longer the phone stands there."""
STANDING_SIGMA_M = 20.0
"""Metres: the noise that a standing phone is granted when it does not say its accuracy."""
CLEARLY, HARDLY = 6.0, 2.5
"""Speeds in standard deviations: above the first something moved (1 in 10^8), below the second perhaps nothing."""
DRIVING_MS, CREEPING_MS = 3.0, 1.5
"""The same in m/s, for noise that wanders slower than it shows: nobody drives below walking pace for long."""
AWAY, AWAY_FAST = 7.0, 5.0
"""Times its standard deviation that noise takes no phone away from where it stood; the second if clearly fast."""
EXCURSION_S, SAME_PLACE = 60.0, 4.0
"""Who stands, is away for less than this and stands there again within so many sigmas has not moved: a reflection."""
LASTING_S, LASTING = 30.0, 0.7
"""Who is on average as fast as this share of clearly fast, for so many seconds, drives, be it around the block."""
STAND_S, MORE_THAN_TOLD, EVENLY, RAYLEIGH_MEDIAN = 120.0, 1.6, 4.0, 1.1774
"""A ride that only stands: seconds, sigmas of scatter (some phones promise too much), sigmas that 99 % lie within."""
PAUSE_S = 5.0
"""Seconds: a shorter slow piece is part of the drive, such as the turn at a corner."""
LIVELY = 3.5
"""Times the energy that noise gives a standing phone: more is a vehicle that turns, slow only in sum."""
BLOCK_S = 60.0
"""Seconds of a slow stretch that count as one place: several times as long as most reflections."""
HEADING_M = 30.0
"""Metres of the road before and after a stop that give its direction."""
SPARSE = 0.007
"""The share by which noise may lengthen a leg without being smoothed: smoothing would cut more off the corners."""
USUAL_SPEED_MS, WARP_MS = 12.0, 20.0
"""Above the second a ride without a limit of speed is taken for a simulation in fast motion and slowed to the first.

At 35 m/s with corners every 150 m and 5 m of noise, 28 % were cut off; a real ride on a motorway loses nothing by it.
"""


class Measurement(msgspec.Struct, frozen=True):
    """What a ride's fixes amount to.

    `reasons` say why each fix, in the order handed over, does not count. `track` is the filtered one: seconds since
    1970, latitude, longitude. `jumps` are the metres of ways that no vehicle has driven; they are not billed.
    """

    metres: float
    reasons: list[Reason]
    track: list[tuple[float, float, float]]
    noise: Noise
    jumps: list[float]


class Timed(msgspec.Struct):
    """A fix, its number in what was handed over, and when it was made (seconds since 1970, the server's clock)."""

    fix: Fix
    number: int
    at: float


class Stretch(msgspec.Struct):
    """A part of a track, from place `first` to place `last`, that is driven or in which the vehicle (nearly) stands."""

    slow: bool
    first: int
    last: int


def measure(fixes: Sequence[Fix], limits: Limits, started_at: float | None = None) -> Measurement:
    """Return how far the ride was that these fixes tell of; `started_at` is by the server's clock."""
    reasons: list[Reason] = [""] * len(fixes)
    timed = _usable(_in_time(fixes), limits, started_at, reasons)
    _spread_ties(timed)
    timed = _fresh(timed)
    pieces, jumps = _plausible_pieces(timed, limits, reasons)
    noise = _noise_of(max(pieces, key=len, default=[]))
    metres, track = 0.0, []
    for piece in pieces:
        length, places = _measure_piece(piece, noise, warped=not limits.max_speed_kmh)
        metres += length
        track += places
    return Measurement(metres, reasons, track, noise, jumps)


# When, and which.


def _in_time(fixes: Sequence[Fix]) -> list[Timed]:
    """Return the fixes in the order in which they were made, whatever order they came in."""
    arrived = sorted(range(len(fixes)), key=lambda n: _arrival(fixes[n]))
    times = true_times([fixes[n] for n in arrived])
    timed = [Timed(fixes[n], n, at) for n, at in zip(arrived, times, strict=True)]
    return sorted(timed, key=lambda one: (one.at, _arrival(one.fix)))


def _arrival(fix: Fix) -> tuple[float, float, float, float, str, float, float]:
    """Return what puts any two fixes that differ in one order, the same in every process."""
    phone_time = fix.received_at if fix.phone_time is None else fix.phone_time
    accuracy = -1.0 if fix.accuracy is None else fix.accuracy
    speed = -1.0 if fix.speed is None else fix.speed
    return fix.received_at, phone_time, fix.latitude, fix.longitude, fix.connection, accuracy, speed


def _usable(timed: list[Timed], limits: Limits, started_at: float | None, reasons: list[Reason]) -> list[Timed]:
    """Return what can be of this ride, and say of the rest why not.

    The first fix that came in is the one the ride began with, so one made later by the same clock is of the ride. Where
    it does not say its time, nothing tells what was made before.
    """
    first = min(timed, key=lambda one: _arrival(one.fix), default=None)
    begin = -math.inf
    if first is not None and first.fix.phone_time is None:
        first.at = min(one.at for one in timed)
        timed.sort(key=lambda one: (one.at, one is not first))
    elif first is not None and started_at is not None:
        begin = min(started_at, first.at) - BEFORE_START_S
    seen: set[tuple[float | None, float, float]] = set()
    usable = []
    for one in timed:
        told = (one.fix.phone_time, one.fix.latitude, one.fix.longitude)
        reason = unusable(one.fix, limits)
        if not reason and (one.at < begin or _is_of_the_approach(one, first, started_at)):
            reason = "before_start"
        if not reason and one.fix.phone_time is not None and told in seen:
            reason = "duplicate"
        reasons[one.number] = reason
        seen.add(told)
        if not reason:
            usable.append(one)
    return usable


def _is_of_the_approach(one: Timed, first: Timed | None, started_at: float | None) -> bool:
    """Tell whether a fix was made before the one with which the ride began, by the phone's clock and by ours.

    A phone that lost the network as the ride began sends again what was not confirmed, also of the way to the pick-up.
    """
    if first is None or started_at is None or first.fix.received_at > started_at or first.fix.phone_time is None:
        return False
    made = one.fix.phone_time
    return made is not None and made < first.fix.phone_time and one.at < first.at


def _fresh(timed: list[Timed]) -> list[Timed]:
    """Return the fixes without those that only repeat the place of the one before, as phones do between two fixes.

    They say nothing of the noise, and make it look like none: no noise comes twice. Of a stand both ends stay.
    """
    fresh: list[Timed] = []
    for n, one in enumerate(timed):
        if not fresh or abs(leg(fresh[-1].fix, one.fix)) > REPEATED_M:
            fresh.append(one)
            continue
        is_last = n + 1 == len(timed) or abs(leg(fresh[-1].fix, timed[n + 1].fix)) > REPEATED_M
        if is_last and one.at - fresh[-1].at >= HELD_S:
            fresh.append(one)
    if len(fresh) < len(timed) and is_silent(_unrolled(fresh), _noise_of(fresh)):
        return timed  # there is no noise: who seems to wait at a corner does
    return fresh


def _spread_ties(timed: list[Timed]) -> None:
    """Put fixes that seem to be made at once (a burst without time stamps, whole seconds) apart, towards the past."""
    gaps = [gap for a, b in pairwise(timed) if (gap := b.at - a.at) > 0]
    usual = statistics.median(gaps) if gaps else 1.0
    first = 0
    for n in range(1, len(timed) + 1):
        if n < len(timed) and timed[n].at - timed[n - 1].at < usual / 4:
            continue
        size, last = n - first, timed[n - 1].at
        begin = max(timed[first - 1].at, last - size * usual) if first else last - size * usual
        for place in range(first, n):
            timed[place].at = begin + (last - begin) * (place - first + 1) / size
        first = n


def _plausible_pieces(
    timed: list[Timed], limits: Limits, reasons: list[Reason]
) -> tuple[list[list[Timed]], list[float]]:
    """Return the parts of the ride between which nothing can have been driven, and the jumps between them."""
    if not limits.max_speed_kmh or not timed:
        return ([timed] if timed else []), []
    noise = _noise_of(timed)
    sigmas = [max(noise.sigma, accuracy_of(one.fix) or UNKNOWN_SIGMA_M) for one in timed]
    judge = Judge([one.fix for one in timed], [one.at for one in timed], sigmas, limits.max_speed_kmh / 3.6)
    kept = plausible(judge)
    numbers = {number for number, _ in kept}
    for n, one in enumerate(timed):
        if n not in numbers:
            reasons[one.number] = "spike"
    pieces: list[list[Timed]] = [[timed[kept[0][0]]]]
    jumps: list[float] = []
    for (before, _), (after, jumped) in pairwise(kept):
        metres = abs(leg(timed[before].fix, timed[after].fix)) if jumped else 0.0
        if metres > judge.reach(before, after):
            jumps.append(metres)
            pieces.append([])
        pieces[-1].append(timed[after])
    return pieces, jumps


# One piece.


def _noise_of(piece: list[Timed]) -> Noise:
    """Return how much noise there is; none where there are too few fixes to tell."""
    accuracies = [accuracy for one in piece if (accuracy := accuracy_of(one.fix))]
    if len(piece) < 3:
        return Noise(0.0, 0.0, 1.0)
    return estimate(_unrolled(piece), statistics.median(accuracies) if accuracies else None)


def _unrolled(piece: list[Timed]) -> Track:
    """Return the fixes on a plane: every way between two of them has its great circle's length."""
    places = [0j]
    for a, b in pairwise(piece):
        places.append(places[-1] + leg(a.fix, b.fix))
    return Track([one.at - piece[0].at for one in piece], places)


def _measure_piece(piece: list[Timed], noise: Noise, *, warped: bool) -> tuple[float, list[tuple[float, float, float]]]:
    """Return the metres of a piece, and its filtered track."""
    raw = _unrolled(piece)
    if len(piece) < 3:
        return sum(abs(way) for way in raw.legs()), [_moved(one, 0j) for one in piece]
    if warped:
        slowed, noise = _slowed_down(raw, noise)
        if slowed is not raw and _is_sparse(slowed, [Stretch(False, 0, len(piece) - 1)], noise):
            return sum(abs(way) for way in raw.legs()), [_moved(one, 0j) for one in piece]
        raw = slowed
    sigmas, loose = _sigmas(piece, noise)
    smoothed, silent = settle(raw, sigmas, noise), is_silent(raw, noise)
    told = any(accuracy_of(one.fix) for one in piece)
    if not silent and _only_stands(raw, loose if told else max(loose, STANDING_SIGMA_M)):
        return 0.0, [_moved(piece[0], 0j), _moved(piece[-1], 0j)]
    stretches = _stretches_at_once(raw) if silent else _stretches(raw, smoothed, noise, loose)
    if silent or _is_sparse(raw, stretches, noise):
        smoothed = Smoothed(raw, sigmas, smoothed.liveliness, [0.0] * (len(piece) - 1))
    legs = _legs(smoothed)
    if not silent:
        legs = _by_speed(legs, smoothed, stretches, [one.fix.speed for one in piece])
    if len(stretches) == 1 and not told:
        loose = max(loose, STANDING_SIGMA_M)
    metres = 0.0
    for n, part in enumerate(stretches):
        driven = sum(legs[part.first : part.last])
        metres += _slow_metres(smoothed.track, stretches, n, loose, driven if silent else 0.0) if part.slow else driven
    return max(0.0, metres), _shown(piece, raw, smoothed.track, stretches)


def _shown(piece: list[Timed], raw: Track, track: Track, stretches: list[Stretch]) -> list[tuple[float, float, float]]:
    """Return the filtered track: every place that was driven through, and the ends of every stand."""
    numbers = [n for s in stretches for n in ((s.first, s.last) if s.slow else range(s.first, s.last + 1))]
    return [_moved(piece[n], track.places[n] - raw.places[n]) for n in dict.fromkeys(numbers)]


def _sigmas(piece: list[Timed], noise: Noise) -> tuple[list[float], float]:
    """Return the noise of each fix, by its accuracy among the others, and the most to reckon with in a stand."""
    told = [accuracy for one in piece if (accuracy := accuracy_of(one.fix))]
    usual = statistics.median(told) if told else noise.sigma
    shares = [(accuracy_of(one.fix) or usual) / usual for one in piece]
    return [noise.sigma * min(max(share, 0.5), 4.0) for share in shares], max(noise.sigma, usual)


def _is_sparse(raw: Track, stretches: list[Stretch], noise: Noise) -> bool:
    """Tell whether fixes are so far apart that noise makes the legs between them hardly longer: then corners stay."""
    driven = [abs(raw.places[n + 1] - raw.places[n]) for s in stretches if not s.slow for n in range(s.first, s.last)]
    return bool(driven) and noise.sigma**2 * (1 - noise.step) < SPARSE * statistics.median(driven) ** 2


def _moved(one: Timed, by: complex) -> tuple[float, float, float]:
    """Return when and where a fix was, moved by these metres east + i north."""
    across = max(math.cos(math.radians(one.fix.latitude)), 1e-6) * EARTH_RADIUS_M
    latitude = one.fix.latitude + math.degrees(by.imag / EARTH_RADIUS_M)
    longitude = math.remainder(one.fix.longitude + math.degrees(by.real / across), 360)
    return one.at, min(max(latitude, -90.0), 90.0), longitude


def _slowed_down(track: Track, noise: Noise) -> tuple[Track, Noise]:
    """Return a simulation in fast motion at the pace of a real ride."""
    speeds = sorted(abs(way) / gap for way, gap in zip(track.legs(), track.gaps(), strict=True))
    fast = speeds[len(speeds) * 3 // 4]
    if fast <= WARP_MS:
        return track, noise
    factor = fast / USUAL_SPEED_MS
    slow = Track([at * factor for at in track.times], track.places)
    return slow, Noise(noise.sigma, noise.persistence ** (1 / factor), noise.gap * factor)


# Where it stands.


def _stretches(raw: Track, smoothed: Smoothed, noise: Noise, loose: float) -> list[Stretch]:
    """Return the stretches of a track, driven and slow in turn.

    A stretch is slow where noise could feign the speed. A driven stretch must have been clearly fast once or have led
    away further than noise does; else it is part of the stand around it. `loose` is the largest sigma to reckon with.
    """
    calm = smooth(raw, smoothed.sigmas, noise.persistence, even_agilities(raw, CALM_AGILITY))
    speeds = [abs(way) / gap for way, gap in zip(calm.legs(), calm.gaps(), strict=True)]
    feigned = _feigned_speed(noise, loose)
    hardly, clearly = max(HARDLY * feigned, CREEPING_MS), max(CLEARLY * feigned, DRIVING_MS)
    stretches = _joined([Stretch(speed < hardly, n, n + 1) for n, speed in enumerate(speeds)])
    for part in stretches:
        part.slow = part.slow and _is_slow(smoothed, part)
    stretches = _joined(stretches)
    while (doubtful := _doubtful(calm, speeds, stretches, clearly, loose)) is not None:
        doubtful.slow = True
        stretches = _joined(stretches)
    return stretches


def _only_stands(raw: Track, loose: float) -> bool:
    """Tell whether a phone has stood all the time: its places scatter as those of a standing one, about one place.

    Of a ride that goes anywhere in two minutes they scatter more, and not so evenly.
    """
    middle = complex(statistics.median(p.real for p in raw.places), statistics.median(p.imag for p in raw.places))
    off = sorted(abs(place - middle) for place in raw.places)
    scatter = off[len(off) // 2] / RAYLEIGH_MEDIAN
    near = off[len(off) * 99 // 100] < EVENLY * max(scatter, loose)
    return raw.times[-1] - raw.times[0] > STAND_S and near and scatter < MORE_THAN_TOLD * loose


def _stretches_at_once(raw: Track) -> list[Stretch]:
    """Return the stretches of a track without noise, whose speeds are what they seem."""
    speeds = [abs(way) / gap for way, gap in zip(raw.legs(), raw.gaps(), strict=True)]
    return _joined([Stretch(speed < CREEPING_MS, n, n + 1) for n, speed in enumerate(speeds)])


def _is_slow(smoothed: Smoothed, part: Stretch) -> bool:
    """Tell whether a stretch is long enough, and has no more energy than noise may give it."""
    legs, gaps = smoothed.track.legs(), smoothed.track.gaps()
    own = range(part.first, part.last)
    energies = [abs(legs[n] / gaps[n]) ** 2 / max(2 * smoothed.left[n], CREEPING_MS**2) for n in own]
    return sum(gaps[n] for n in own) >= PAUSE_S and statistics.fmean(energies) < LIVELY


def _feigned_speed(noise: Noise, loose: float) -> float:
    """Return the standard deviation of a standing phone's smoothed speed, also if its noise is larger but slower."""
    step = 1 - (1 - noise.step) * (noise.sigma / loose) ** 2
    slower = Noise(loose, step ** (1 / noise.gap), noise.gap)
    return math.sqrt(max(speed_noise(noise, CALM_AGILITY, lambda gain: gain, real) for real in (noise, slower)))


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    joined: list[Stretch] = []
    for part in stretches:
        if joined and joined[-1].slow == part.slow:
            joined[-1].last = part.last
        else:
            joined.append(part)
    return joined


def _doubtful(
    calm: Track, speeds: list[float], stretches: list[Stretch], clearly: float, loose: float
) -> Stretch | None:
    """Return a driven stretch that noise alone could have made, the first of them."""
    for n, part in enumerate(stretches):
        if part.slow:
            continue
        own, seconds = speeds[part.first : part.last], calm.times[part.last] - calm.times[part.first]
        start = _middle(calm, stretches[n - 1]) if n else calm.places[part.first]
        end = _middle(calm, stretches[n + 1]) if n + 1 < len(stretches) else calm.places[part.last]
        if 0 < n < len(stretches) - 1 and seconds < EXCURSION_S and abs(end - start) < SAME_PLACE * loose:
            return part
        lasting = seconds >= LASTING_S and statistics.fmean(own) >= LASTING * clearly
        led = max(abs(place - start) for place in [*calm.places[part.first : part.last + 1], end])
        if led < (AWAY_FAST if max(own) >= clearly else AWAY) * loose and not lasting:
            return part
    return None


def _middle(track: Track, part: Stretch) -> complex:
    places = track.places[part.first : part.last + 1]
    return sum(places) / len(places)


# How long it is.


def _legs(smoothed: Smoothed) -> list[float]:
    """Return the metres of each leg, less what the noise that is left has added."""
    ways = zip(smoothed.track.legs(), smoothed.track.gaps(), smoothed.left, strict=True)
    return [math.sqrt(max(0.0, abs(way) ** 2 - left * gap * gap)) for way, gap, left in ways]


def _by_speed(
    legs: list[float], smoothed: Smoothed, stretches: list[Stretch], speeds: Sequence[float | None]
) -> list[float]:
    """Return the metres of each leg by the phone's speed, where that is good; a stretch with speed is no slow one."""
    spoken, gaps = legs_by_speed(speeds, smoothed.track), smoothed.track.gaps()
    driven = [n for part in stretches if not part.slow for n in range(part.first, part.last)]
    fits = factor(spoken, legs, gaps, smoothed.liveliness, driven) if spoken else None
    if not spoken or not fits:
        return legs
    for part in stretches:
        if sum(spoken[part.first : part.last]) > CREEPING_MS * sum(gaps[part.first : part.last]):
            part.slow = False
    return [way if said < 0 else said * fits for way, said in zip(legs, spoken, strict=True)]


def _slow_metres(track: Track, stretches: list[Stretch], n: int, loose: float, exact: float) -> float:
    """Return the length of a slow stretch: nothing where it stands, the way along the road where it creeps.

    Ways count once they are longer than noise makes them. What is left counts along the road, which the driven
    stretches before and after show: forwards or backwards, so that noise adds nothing on average. A ride that only
    stands has no such direction, and no metre. `exact` is the sum of the legs of a track without noise, which
    counts as it is where they lead away, or are soon over.
    """
    part, heading, metres = stretches[n], 0j, 0.0
    here = track.places[part.first]
    if n:
        heading = here - _far_from(track, part.first, -1, stretches[n - 1].first)
    is_soon_over = len(stretches) > 1 and track.times[part.last] - track.times[part.first] < EXCURSION_S
    leads = max(abs(place - here) for place in track.places[part.first : part.last + 1])
    if exact and (is_soon_over or leads > AWAY * loose):
        return exact
    for place in _by_and_by(track, part):
        way = place - here
        if abs(way) > AWAY * loose:
            metres, heading, here = metres + abs(way), way, place
    end = track.places[part.last]
    onward = _far_from(track, part.last, 1, stretches[n + 1].last) - end if n + 1 < len(stretches) else 0j
    road = _direction(heading) + _direction(onward)
    if (heading * onward.conjugate()).real < 0:  # it turned around meanwhile
        road = _direction(heading)
    return metres + ((end - here) * _direction(road).conjugate()).real


def _by_and_by(track: Track, part: Stretch) -> list[complex]:
    """Return where a slow stretch was, one place for each `BLOCK_S`: their median, so that no reflection moves it."""
    blocks: dict[int, list[complex]] = {}
    for n in range(part.first, part.last + 1):
        blocks.setdefault(int((track.times[n] - track.times[part.first]) / BLOCK_S), []).append(track.places[n])
    return [
        complex(statistics.median(p.real for p in block), statistics.median(p.imag for p in block))
        for block in blocks.values()
    ]


def _far_from(track: Track, n: int, step: int, end: int) -> complex:
    """Return the first place on this side of place `n` that is far enough to give the road's direction."""
    other = n
    while other != end and abs(track.places[other] - track.places[n]) < HEADING_M:
        other += step
    return track.places[other]


def _direction(way: complex) -> complex:
    return way / abs(way) if way else 0j
