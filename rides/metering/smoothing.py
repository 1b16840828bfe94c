"""What noise has added to a track, and the track without it.

The smoother is that of Whittaker (1923) and Henderson, as Eilers (Analytical Chemistry 75, 2003) has it: of all tracks
it takes the one that is most likely when fixes are off by noise and vehicles change their velocity seldom. With these
assumptions a Kalman filter and a Rauch-Tung-Striebel smoother give the same track, with five times the work: here it is
one banded system of linear equations for the whole ride. What is added:

- Noise is correlated from one fix to the next (a first-order autoregression), as GPS noise is: with white noise a phone
  would jump about, real phones drift. How strong and how correlated it is, is estimated from the ride itself.
- Vehicles go straight for long and then turn quickly. So a change of velocity is not expected to be alike everywhere:
  its variance is estimated again from the smoothed track around each fix, and the track smoothed with it (iteratively
  reweighted least squares for a Student's t distribution: Lange, Little and Taylor, JASA 84, 1989). Straight roads are
  smoothed over many fixes, corners over few.
- What smoothing rounds off is put back by smoothing the smoothed track once more and adding the difference ("twicing":
  Tukey, Exploratory Data Analysis, 1977).
- What is left of the noise makes each leg longer; how much is known from the noise, and taken off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

AGILITY = 10.0
"""m2/s3: the variance of a vehicle's change of velocity in a second, before the ride has told more. A corner of 20 m at
25 km/h turns the velocity by 2.5 m/s each second; the laboratory is flat between 5 and 15."""
CALM_AGILITY = 0.5
"""The same for a look at whether the vehicle moves at all: smooth over many fixes."""
BRISK_MS = 9.0
"""The speed from which a vehicle is as agile as that: it turns by at most some 0.4 radians a second."""
AROUND_S = 10.0
"""Seconds before and after within which a vehicle's pace is taken: half of the time that a roundabout takes."""
TAILS = 1.0
"""Degrees of freedom of the change of velocity: 1 is heavy tails, long straight roads and sharp corners."""
ROUNDS, REACH_S = 4, 2.0
"""Times that the weights are estimated again, and over how many seconds on each side: a corner takes about five."""
STRAIGHT_M = 0.2
"""Metres beside a line, about what is lost where a phone says six decimals; of noise, one in 50 is so little."""
SILENT_M = 0.3
"""Metres: noise below it is that of rounded coordinates, and such a track is left as it is."""

QUANTILE, OF_NORMAL = 0.3, 0.3853
"""The deviations below which 30 % lie are those of straight roads; of a normal distribution that is 0.3853 sigma."""
DIFFERENCES = {2: (-0.5, 1.0, -0.5), 4: (1 / 6, -4 / 6, 1.0, -4 / 6, 1 / 6)}
"""A fix against its neighbours: the second difference is blind to straight roads, the fourth also to bends."""
CORRELATIONS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.87, 0.92, 0.95, 0.97, 0.98, 0.99, 0.997)
FADES_S = 3.0
"""Seconds in which an error usually falls to a third, as far as a ride does not tell."""
UNKNOWN_SIGMA_M = 8.0
"""Metres: the noise of a phone that does not say (van Diggelen and Enge 2015: 4.9 m under open sky, more in towns)."""


class Noise(msgspec.Struct, frozen=True):
    """Standard deviation on each axis (m), what is left of an error after a second, usual seconds between fixes."""

    sigma: float
    persistence: float
    gap: float

    @property
    def step(self) -> float:
        """The correlation from one fix to the next."""
        return float(self.persistence**self.gap)


class Track(msgspec.Struct, frozen=True):
    """Places (metres, as complex numbers) and the seconds at which the vehicle was there, ever later."""

    times: Sequence[float]
    places: Sequence[complex]

    def legs(self) -> list[complex]:
        """Return the ways between the places."""
        return [b - a for a, b in pairwise(self.places)]

    def gaps(self) -> list[float]:
        """Return the seconds between the places."""
        return [b - a for a, b in pairwise(self.times)]


def smooth(track: Track, sigmas: Sequence[float], persistence: float, agilities: Sequence[float]) -> Track:
    """Return the most likely track: `sigmas` of the fixes in metres, `agilities` the variances of velocity changes.

    Solves (N + M) c = -M z for the corrections c to the places z, where N is the precision of the noise and M that of
    the motion; both have two diagonals beside the main one. A straight track at an even pace is left exactly as it is.
    """
    system = _System(len(track.places))
    _add_noise(system, track.gaps(), sigmas, persistence)
    _add_motion(system, track, agilities)
    corrections = _solve(system)
    return Track(track.times, [place + c for place, c in zip(track.places, corrections, strict=True)])


class _System:
    """A symmetric system of equations: the diagonal, the first and the second beside it, and the right side."""

    def __init__(self, size: int) -> None:
        self.main, self.first, self.second = [0.0] * size, [0.0] * size, [0.0] * size
        self.right = [0j] * size


def _add_noise(system: _System, gaps: Sequence[float], sigmas: Sequence[float], persistence: float) -> None:
    """Add the precision of errors of which each keeps a part of the one before."""
    main, first = system.main, system.first
    main[0] += 1 / sigmas[0] ** 2
    for k, gap in enumerate(gaps):
        kept = persistence**gap
        fresh = 1 / (1 - kept * kept)
        a, b = kept / sigmas[k], 1 / sigmas[k + 1]
        main[k] += fresh * a * a
        main[k + 1] += fresh * b * b
        first[k] -= fresh * a * b


def _add_motion(system: _System, track: Track, agilities: Sequence[float]) -> None:
    """Add the precision of changes of velocity, and what they are in the track as it is."""
    main, first, second, right = system.main, system.first, system.second, system.right
    legs, gaps = track.legs(), track.gaps()
    for k in range(1, len(legs)):
        a, c = 1 / gaps[k - 1], 1 / gaps[k]
        b, weight = -a - c, 1 / agilities[k]
        change = weight * (legs[k] * c - legs[k - 1] * a)
        right[k - 1] -= a * change
        right[k] -= b * change
        right[k + 1] -= c * change
        main[k - 1] += weight * a * a
        main[k] += weight * b * b
        main[k + 1] += weight * c * c
        first[k - 1] += weight * a * b
        first[k] += weight * b * c
        second[k - 1] += weight * a * c


def _solve(system: _System) -> list[complex]:
    """Solve the system in place (LDL' of a band matrix: Golub and Van Loan, Matrix Computations, 4.3)."""
    main, first, second, right = system.main, system.first, system.second, system.right
    count = len(main)
    for k in range(count - 1):
        below = first[k] / main[k]
        main[k + 1] -= below * first[k]
        right[k + 1] -= below * right[k]
        if k + 2 < count:
            lowest = second[k] / main[k]
            first[k + 1] -= lowest * first[k]
            main[k + 2] -= lowest * second[k]
            right[k + 2] -= lowest * right[k]
            second[k] = lowest
        first[k] = below
    one = two = 0j
    for k in range(count - 1, -1, -1):
        right[k] = right[k] / main[k] - first[k] * one - second[k] * two
        one, two = right[k], one
    return right


def even_agilities(track: Track, agility: float) -> list[float]:
    """Return what changes of velocity to expect where nothing is known yet."""
    times = track.times
    inner = [agility * (times[k + 1] - times[k - 1]) / 2 for k in range(1, len(times) - 1)]
    return [1.0, *inner, 1.0]  # the first and the last are not used


class Smoothed(msgspec.Struct, frozen=True):
    """A smoothed track, the sigmas that the fixes turned out to have, and how much more agile than `AGILITY` it is.

    `left` is the variance (m2/s2 on each axis) that noise has left in the speed of each leg.
    """

    track: Track
    sigmas: Sequence[float]
    liveliness: Sequence[float]
    left: Sequence[float]


def settle(track: Track, sigmas: Sequence[float], noise: Noise) -> Smoothed:
    """Smooth a track as strongly as it is straight."""
    fully = even_agilities(track, AGILITY)
    around = max(1, round(AROUND_S / noise.gap))
    calm = smooth(track, sigmas, noise.persistence, even_agilities(track, CALM_AGILITY))
    expected = [agility * share for agility, share in zip(fully, _by_pace(calm, around), strict=True)]
    agilities, weights, reach = expected, sigmas, round(REACH_S / noise.gap)
    for _ in range(ROUNDS):
        smoothed = smooth(track, weights, noise.persistence, agilities)
        agilities = [usual * more for usual, more in zip(expected, _livelier(smoothed, expected, reach), strict=True)]
        weights = _doubted(track, smoothed, sigmas)
    once = smooth(track, weights, noise.persistence, agilities)
    twice = smooth(once, weights, noise.persistence, agilities)
    places = [2 * a - b for a, b in zip(once.places, twice.places, strict=True)]
    liveliness = [a / b for a, b in zip(agilities, fully, strict=True)]
    return Smoothed(Track(track.times, places), weights, liveliness, _left(noise, liveliness))


def _by_pace(calm: Track, around: int) -> list[float]:
    """Return the share of `AGILITY` to expect at each place: whoever goes slowly cannot swerve much in a second.

    What counts is the most within so many fixes `around`, since in a tight turn a calm track hardly moves.
    """
    speeds = [abs(way) / gap for way, gap in zip(calm.legs(), calm.gaps(), strict=True)]
    paces = [max(speeds[max(0, k - around) : k + around]) for k in range(1, len(speeds))]
    shares = [min(1.0, max((pace / BRISK_MS) ** 2, CALM_AGILITY / AGILITY)) for pace in paces]
    return [1.0, *shares, 1.0]


def _left(noise: Noise, liveliness: Sequence[float]) -> list[float]:
    """Return the variance that noise leaves in the speed of each leg, to the nearest octave of liveliness."""
    octaves = range(-6, 12)
    table = [speed_noise(noise, AGILITY * 2.0**octave, lambda gain: 2 * gain - gain * gain) for octave in octaves]
    nearest = [round(math.log2((a + b) / 2)) for a, b in pairwise(liveliness)]
    return [table[min(max(octave - octaves.start, 0), len(table) - 1)] for octave in nearest]


def _livelier(track: Track, expected: Sequence[float], reach: int) -> list[float]:
    """Return by what factor the velocity changed more than expected around each place."""
    speeds = [leg / gap for leg, gap in zip(track.legs(), track.gaps(), strict=True)]
    jolts = [abs(b - a) ** 2 for a, b in pairwise(speeds)]
    changes = [0.0, *(jolt / usual for jolt, usual in zip(jolts, expected[1:-1], strict=True)), 0.0]
    width = 2 * reach + 1
    return [
        (TAILS + sum(changes[max(0, k - reach) : k + reach + 1]) / width) / (TAILS + 2) for k in range(len(changes))
    ]


def _doubted(track: Track, smoothed: Track, sigmas: Sequence[float]) -> list[float]:
    """Return larger sigmas for fixes that are further off than three of their own (Huber's weights)."""
    off = [abs(a - b) for a, b in zip(track.places, smoothed.places, strict=True)]
    return [max(sigma, distance / 3) for sigma, distance in zip(sigmas, off, strict=True)]


# How much noise there is.


def estimate(track: Track, accuracy: float | None) -> Noise:
    """Return the noise that best explains how fixes deviate from their neighbours, sideways, on straight roads.

    How far fixes deviate from their nearest and from their next neighbours is compared with what each strength and
    correlation would give. Where the vehicle itself may explain a deviation, it counts less. `accuracy` is what the
    phone says, believed within a factor: 68 % radius, standard deviation or guess, phones differ.
    """
    gap = sorted(track.gaps())[(len(track.times) - 2) // 2]
    seen = [least for lag in (1, 2) if (least := _least_observed(track, lag, gap)) is not None]
    prior = Prior(accuracy, 0.35, gap) if accuracy else Prior(UNKNOWN_SIGMA_M, 0.8, gap)
    candidates = [(prior.sigma * 1.2**power, n) for n in range(len(CORRELATIONS)) for power in range(-24, 9)]
    sigma, n = min(candidates, key=lambda c: _misfit(c[0], c[1], seen, prior))
    return Noise(sigma, CORRELATIONS[n] ** (1 / gap), gap)


class Prior(msgspec.Struct, frozen=True):
    """What is expected before the track is seen: sigma (m), by what factor's logarithm it may be wrong, seconds."""

    sigma: float
    spread: float
    gap: float


class Observation(msgspec.Struct, frozen=True):
    """A typical deviation (m), how much it counts, and what it would be for each correlation of noise with sigma 1."""

    deviation: float
    weight: float
    tolerance: float
    expected: Sequence[float]


def _least_observed(track: Track, lag: int, gap: float) -> Observation | None:
    """Return the difference of the order that the vehicle's own motion has disturbed less."""
    seen = [one for order in DIFFERENCES if (one := _observe(track, order, lag, gap)) is not None]
    return min(seen, key=lambda one: one.deviation / one.expected[0], default=None)


def _observe(track: Track, order: int, lag: int, gap: float) -> Observation | None:
    deviations = sorted(_deviations(track, order, lag, gap))
    if len(deviations) < 6:
        return None
    typical = max(deviations[int(QUANTILE * len(deviations))] / OF_NORMAL, 0.01)
    by_motion = 1.5 * (lag * gap) ** 2  # metres that a turn at 3 m/s2 takes a vehicle off the line
    tolerance = max(0.1, 2.2 / math.sqrt(len(deviations)))  # how well such a quantile is known, from simulations
    return Observation(typical, 1 / (1 + (by_motion / typical) ** 4), tolerance, _EXPECTED[order, lag])


def _deviations(track: Track, order: int, lag: int, gap: float) -> list[float]:
    """Return how far each fix is beside the line or curve of its neighbours; fixes over long gaps are no neighbours."""
    times, places, weights = track.times, track.places, DIFFERENCES[order]
    half, found = order // 2 * lag, []
    for k in range(half, len(places) - half):
        if times[k + half] - times[k - half] > 3 * order * lag * gap:
            continue
        off = sum(weight * places[k + (n - order // 2) * lag] for n, weight in enumerate(weights))
        if off == 0 and places[k - half] == places[k + half]:
            continue  # phones that freeze the place while they stand still say nothing of the noise
        along = places[min(len(places) - 1, k + 8)] - places[max(0, k - 8)]
        found.append(abs((off * along.conjugate()).imag) / abs(along) if along else abs(off) / math.sqrt(2))
    return found


def _misfit(sigma: float, n: int, seen: Sequence[Observation], prior: Prior) -> float:
    misfit = (math.log(sigma / prior.sigma) / prior.spread) ** 2 + _surprise(CORRELATIONS[n], prior.gap)
    for one in seen:
        off = math.log(sigma * one.expected[n] / one.deviation) / one.tolerance
        misfit += off * off * (one.weight if off < 0 else 1.0)  # less noise than deviation: that may be the vehicle
    return misfit


def _surprise(correlation: float, gap: float) -> float:
    """Return how unusual it is that an error takes so long to fade, in squares of standard deviations."""
    seconds = -gap / math.log(correlation) if correlation else 0.0
    return math.log(seconds / FADES_S) ** 2 if seconds > FADES_S else 0.0


def _spread(order: int, lag: int, correlation: float) -> float:
    weights = DIFFERENCES[order]
    pairs = ((a, b, abs(n - m)) for n, a in enumerate(weights) for m, b in enumerate(weights))
    return math.sqrt(sum(a * b * correlation ** (steps * lag) for a, b, steps in pairs))


_EXPECTED = {(order, lag): [_spread(order, lag, c) for c in CORRELATIONS] for order in DIFFERENCES for lag in (1, 2)}


def is_silent(track: Track, noise: Noise) -> bool:
    """Tell whether there is no noise to speak of: a tenth of all fixes is exactly between or on a curve with others."""
    if is_straight(track) or noise.sigma * _spread(2, 1, noise.step) < SILENT_M:
        return True
    deviations = [_deviations(track, order, 1, noise.gap) for order in DIFFERENCES]
    return any(_are_exact(found) for found in (*deviations, _aside(track)))


def _are_exact(deviations: Sequence[float]) -> bool:
    """Tell whether a tenth of them is nothing; of a few only half of them cannot be by chance."""
    needed = len(deviations) // (10 if len(deviations) >= 6 else 2)
    return len(deviations) >= 3 and sorted(deviations)[needed] < SILENT_M / 10


def _aside(track: Track) -> list[float]:
    """Return how far each fix is beside the line of its neighbours, however the times of the phone jitter."""
    found = []
    for a, here, b in zip(track.places, track.places[1:], track.places[2:], strict=False):
        if way := b - a:
            found.append(abs(((here - a) * way.conjugate()).imag) / abs(way))
    return found


def is_straight(track: Track) -> bool:
    """Tell whether all fixes lie on one line, each beyond the one before: noise does not, however few they are."""
    whole = track.places[-1] - track.places[0]
    if len(track.places) < 3 or not whole:
        return False
    along = [(place - track.places[0]) * whole.conjugate() / abs(whole) for place in track.places]
    aside = STRAIGHT_M if len(along) > 3 else STRAIGHT_M / 4
    return all(abs(at.imag) < aside for at in along) and all(a.real <= b.real for a, b in pairwise(along))


def speed_noise(noise: Noise, agility: float, response: Callable[[float], float], real: Noise | None = None) -> float:
    """Return the variance (m2/s2 on each axis) that noise leaves in the speed of a smoothed track.

    `response` makes of the smoother's gain that of what is done with it; `real` is the noise there is where it is not
    the one that the smoother believes in. A sum over the frequencies from 0 to Nyquist's.
    """
    total, parts = 0.0, 50
    for part in range(parts):
        swing = 2 - 2 * math.cos(math.pi * (part + 0.5) / parts)
        motion = agility * noise.gap**3 / swing**2
        gain = motion / (motion + _power(noise, swing))
        total += _power(real or noise, swing) * response(gain) ** 2 * swing
    return total / parts / noise.gap**2


def _power(noise: Noise, swing: float) -> float:
    """The spectrum of the noise, at the frequency whose first difference has this power."""
    return noise.sigma**2 * (1 - noise.step**2) / ((1 - noise.step) ** 2 + noise.step * swing)
