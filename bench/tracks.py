"""A laboratory for the meter: rides whose true length is known, as phones would report them.

    python -m bench.tracks [--rides 40] [--seed 1] [--kind bends]

Each kind of ride is driven on a road of straight pieces and arcs, then reported with noise, with and without
`accuracy` and `speed`, and through bad networks and clocks. Printed is, by kind, how far the meter's distance is from
the driven one: the median and the 99th percentile of the error's size, and the worst of either sign.
"""

from __future__ import annotations

import argparse
import bisect
import cmath
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from tqdm import tqdm

from rides.metering.doubts import doubts
from rides.metering.fixes import EARTH_RADIUS_M, Fix, Limits, leg
from rides.metering.meter import measure
from simulation.city.noise import Drift

PARSER = argparse.ArgumentParser(prog="python -m bench.tracks", description="How far the meter is off, by kind.")
PARSER.add_argument("--rides", type=int, default=40, help="rides of each row (%(default)s)")
PARSER.add_argument("--seed", type=int, default=1, help="of all that is random (%(default)s)")
PARSER.add_argument("--kind", default="", help="only roads whose name contains this")
PARSER.add_argument("--phone", default="", help="only phones whose name contains this")

STEP = 0.2
"""Seconds between two moments of a simulated drive."""
ACCELERATION, BRAKING = 1.8, 2.5
"""Metres a second squared, of ordinary drivers (Bokare and Maurya 2017 have 0.5 to 2.9 and 0.9 to 3.5)."""
SIDEWAYS = 2.5
"""Metres a second squared: how fast a bend is taken; passengers complain from about 3."""

Rng = random.Random
Piece = tuple[float, float]
"""Of a road: its length in metres and its curvature in 1/m, positive to the left."""


class Moment(msgspec.Struct, frozen=True):
    """Where a vehicle is, `t` seconds after the start: metres east and north, metres driven, metres a second."""

    t: float
    x: float
    y: float
    driven: float
    speed: float


class Course(msgspec.Struct, frozen=True):
    """A road, how fast it is driven, where it stands for how long, and between which metres there is no GPS."""

    road: tuple[Piece, ...]
    cruise: float
    stops: tuple[tuple[float, float], ...] = ()
    dark: tuple[tuple[float, float], ...] = ()


class Phone(msgspec.Struct, frozen=True):
    """How a phone reports: noise in metres (each axis), its correlation over a second, and what goes wrong.

    `reflections` is the share of fixes at which one begins: one to six fixes that are all 80 to 300 m off.
    """

    every: float = 1.0
    sigma: float = 0.0
    rho: float = 0.0
    accuracy: bool = True
    speed: bool = False
    drops: float = 0.0
    doubles: float = 0.0
    backlog: float = 0.0
    newest_first: bool = False
    clock: float = 0.0
    corrected_at: float = math.inf
    drift: float = 0.0
    times: bool = True
    reflections: float = 0.0


# Roads.


def _arc(radius: float, degrees: float) -> Piece:
    """A bend; negative degrees turn to the right."""
    return radius * math.radians(abs(degrees)), math.copysign(1 / radius, degrees)


def _town(rng: Rng, length: float, bend: Callable[[], Sequence[Piece]], low: float, high: float) -> tuple[Piece, ...]:
    """Straight pieces of `low` to `high` metres with a bend between two of them, until the length is reached."""
    road: list[Piece] = [(rng.uniform(low, high), 0.0)]
    while sum(piece[0] for piece in road) < length:
        road += [*bend(), (rng.uniform(low, high), 0.0)]
    return tuple(road)


def straight(rng: Rng) -> Course:
    """Straight on, at one speed."""
    return Course(((rng.uniform(900, 8000), 0.0),), rng.uniform(6, 16))


def curved(rng: Rng) -> Course:
    """A country road: wide bends of 80 to 400 m."""
    road = _town(rng, rng.uniform(2000, 9000), lambda: [_arc(rng.uniform(80, 400), rng.uniform(-70, 70))], 50, 500)
    return Course(road, rng.uniform(9, 18))


def bends(rng: Rng) -> Course:
    """Right-angled street corners of 20 m radius."""
    road = _town(rng, rng.uniform(1200, 5000), lambda: [_arc(20, rng.choice((-90, 90)))], 80, 300)
    return Course(road, rng.uniform(7, 12))


def roundabouts(rng: Rng) -> Course:
    """Half, three quarters or the whole of a roundabout between streets."""

    def bend() -> list[Piece]:
        return [_arc(12, -40), _arc(18, rng.choice((170, 260, 350))), _arc(12, -40)]

    return Course(_town(rng, rng.uniform(1500, 5000), bend, 150, 400), rng.uniform(7, 12))


def u_turns(rng: Rng) -> Course:
    """There and back: turns of 180 degrees on 7 m."""
    road = _town(rng, rng.uniform(1500, 4000), lambda: [_arc(7, 180)], 200, 600)
    return Course(road, rng.uniform(7, 12))


def stop_and_go(rng: Rng) -> Course:
    """Traffic lights every few hundred metres."""
    course = bends(rng)
    length, at, stops = sum(piece[0] for piece in course.road), 0.0, []
    while (at := at + rng.uniform(150, 500)) < length - 20:
        stops.append((at, rng.uniform(5, 90)))
    return Course(course.road, course.cruise, tuple(stops))


def jam(rng: Rng) -> Course:
    """Creeping: 8 to 60 m at a time, then a stand."""
    road = _town(rng, rng.uniform(1000, 2500), lambda: [_arc(100, rng.uniform(-60, 60))], 100, 400)
    length, at, stops = sum(piece[0] for piece in road), 0.0, []
    while (at := at + rng.uniform(8, 60)) < length - 5:
        stops.append((at, rng.uniform(3, 40)))
    return Course(road, rng.uniform(4, 8), tuple(stops))


def tunnel(rng: Rng) -> Course:
    """A road with a straight tunnel of one to three minutes in which there is no fix."""
    cruise = rng.uniform(9, 18)
    first, dark = rng.uniform(600, 2500), cruise * rng.uniform(60, 180)
    road = ((first, 0.0), (dark, 0.0), _arc(60, 80), (rng.uniform(600, 2500), 0.0))
    return Course(road, cruise, dark=((first, first + dark),))


def ferry(rng: Rng) -> Course:
    """To the quay, a wait, across the water, and on."""
    road = ((rng.uniform(500, 1500), 0.0), _arc(20, 90), (rng.uniform(800, 3000), 0.0), _arc(20, -90), (700.0, 0.0))
    quay = road[0][0] + road[1][0]
    return Course(road, rng.uniform(4, 9), ((quay + 1, rng.uniform(120, 600)), (quay + road[2][0], 60.0)))


def lap(rng: Rng) -> Course:
    """Around the block, back to where it began."""
    a, b = rng.uniform(150, 600), rng.uniform(150, 600)
    return Course(tuple(piece for side in (a, b, a, b) for piece in ((side, 0.0), _arc(20, 90))), rng.uniform(6, 12))


def standing(_rng: Rng) -> Course:
    """An hour on the spot."""
    return Course(((0.0, 0.0),), 0.0, ((0.0, 3600.0),))


KINDS: dict[str, Callable[[Rng], Course]] = {
    kind.__name__: kind
    for kind in (straight, curved, bends, roundabouts, u_turns, stop_and_go, jam, tunnel, ferry, lap, standing)
}


# Driving.


def _pace(course: Course, at: float, starts: Sequence[float]) -> float:
    """The speed that the road allows at a metre."""
    curvature = course.road[min(bisect.bisect_right(starts, at), len(course.road)) - 1][1]
    return min(course.cruise, math.sqrt(SIDEWAYS / abs(curvature))) if curvature else course.cruise


def _allowed(course: Course, at: float, stops: Sequence[float], starts: Sequence[float]) -> float:
    """The speed from which what lies ahead can still be braked for."""
    ahead = [_pace(course, at, starts)]
    limits = [(start, _pace(course, start, starts)) for start in starts if at < start < at + 80]
    limits += [(stop, 0.0) for stop in stops if at <= stop < at + 80]
    ahead += [math.sqrt(speed**2 + 2 * BRAKING * (place - at)) for place, speed in limits]
    return min(ahead)


def drive(course: Course) -> list[Moment]:
    """Drive a course and return every moment of it."""
    starts = [sum(piece[0] for piece in course.road[:n]) for n in range(len(course.road))]
    length, waiting = sum(piece[0] for piece in course.road), [*course.stops]
    now, x, y, heading, speed = Moment(0, 0, 0, 0, 0), 0.0, 0.0, 0.0, 0.0
    moments = [now]
    while now.driven < length or waiting:
        t = now.t + STEP
        if waiting and now.driven >= waiting[0][0] - 0.5:
            _, seconds = waiting.pop(0)
            steps = int(seconds / STEP)
            moments += [Moment(now.t + n * STEP, x, y, now.driven, 0.0) for n in range(1, steps + 1)]
            now, speed = moments[-1], 0.0
            continue
        allowed = _allowed(course, now.driven, [place for place, _ in waiting], starts)
        speed = min(max(allowed, 0.3), speed + ACCELERATION * STEP)
        curvature = course.road[min(bisect.bisect_right(starts, now.driven), len(course.road)) - 1][1]
        step = min(speed * STEP, max(length - now.driven, 1e-6))
        heading += curvature * step / 2
        x, y = x + step * math.cos(heading), y + step * math.sin(heading)
        heading += curvature * step / 2
        now = Moment(t, x, y, now.driven + step, speed)
        moments.append(now)
    return moments


# Reporting.

START = 1_780_000_000.0
"""The server's clock when a ride starts."""


def report(course: Course, moments: Sequence[Moment], phone: Phone, rng: Rng) -> list[Fix]:
    """Return the fixes as they come in to the server."""
    latitude, longitude, turn = rng.uniform(-8, 8), rng.uniform(95, 140), rng.uniform(0, 2 * math.pi)
    fixes, off, fixes_off = [], 0j, 0
    for moment, noise in _samples(course, moments, phone, rng):
        if fixes_off == 0:
            off, fixes_off = 0j, 0
            if phone.reflections and rng.random() < phone.reflections:
                off, fixes_off = cmath.rect(rng.uniform(80, 300), rng.uniform(0, 2 * math.pi)), rng.randint(1, 6)
        fixes_off = max(0, fixes_off - 1)
        x, y = moment.x + noise[0] + off.real, moment.y + noise[1] + off.imag
        east, north = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        place_north = latitude + math.degrees(north / EARTH_RADIUS_M)
        place_east = longitude + math.degrees(east / EARTH_RADIUS_M / math.cos(math.radians(latitude)))
        fixes.append(_fix(moment, place_north, place_east, phone, rng))
    return _deliver(fixes, phone, rng)


def _samples(
    course: Course, moments: Sequence[Moment], phone: Phone, rng: Rng
) -> Iterator[tuple[Moment, tuple[float, float]]]:
    """Yield the moments that are reported, each with its noise; the first and the last are among them."""
    drift = Drift(phone.sigma, phone.rho, rng)
    last = 0.0
    stride = round(phone.every / STEP)
    for moment in [*moments[:-1:stride], moments[-1]]:
        noise = drift.after(moment.t - last)
        last = moment.t
        if not any(low <= moment.driven < high for low, high in course.dark):
            yield moment, noise


def _fix(moment: Moment, latitude: float, longitude: float, phone: Phone, rng: Rng) -> Fix:
    clock = phone.clock * (moment.t < phone.corrected_at) + phone.drift * moment.t
    return Fix(
        latitude,
        longitude,
        START + moment.t + rng.uniform(0.03, 0.3),
        START + moment.t + clock if phone.times else None,
        accuracy=max(3.0, phone.sigma * rng.uniform(0.8, 1.3)) if phone.accuracy else None,
        speed=max(0.0, moment.speed + rng.gauss(0, 0.4)) if phone.speed else None,
    )


def _deliver(fixes: list[Fix], phone: Phone, rng: Rng) -> list[Fix]:
    """Lose, double, hold back and shuffle fixes as networks do; the first and the last arrive."""
    kept = [fix for n, fix in enumerate(fixes) if n in (0, len(fixes) - 1) or rng.random() >= phone.drops]
    kept += [_later(fix, 0.4) for fix in kept if rng.random() < phone.doubles]
    if phone.backlog:
        span = kept[-1].received_at - kept[0].received_at
        start = kept[0].received_at + rng.uniform(0.2, 0.7) * span
        end = start + min(phone.backlog, span / 4)
        kept = [_held_back(fix, end, phone) if start < fix.received_at < end else fix for fix in kept]
    return sorted(kept, key=lambda fix: fix.received_at)


def _later(fix: Fix, seconds: float) -> Fix:
    return msgspec.structs.replace(fix, received_at=fix.received_at + seconds)


def _held_back(fix: Fix, until: float, phone: Phone) -> Fix:
    """A fix of a backlog: all come in within 50 ms, the oldest or the newest first."""
    seconds = until - fix.received_at
    return msgspec.structs.replace(fix, received_at=until + (seconds if phone.newest_first else -seconds) * 1e-5)


# What is tried.


def noise_of(rng: Rng, low: float, high: float) -> dict[str, Any]:
    """White noise in one ride of three, else correlated by 0.5 to 0.98 over a second."""
    return {"sigma": rng.uniform(low, high), "rho": rng.choice((0.0, rng.uniform(0.5, 0.9), rng.uniform(0.9, 0.98)))}


PHONES: dict[str, Callable[[Rng], Phone]] = {
    "no noise": lambda rng: Phone(rng.choice((1, 2, 5, 15)), accuracy=rng.random() < 0.5),
    "3-10 m": lambda rng: Phone(rng.choice((1, 2)), **noise_of(rng, 3, 10)),
    "3-10 m, 5 s": lambda rng: Phone(5, **noise_of(rng, 3, 10)),
    "3-10 m, 15 s": lambda rng: Phone(15, **noise_of(rng, 3, 10)),
    "3-10 m, speed": lambda rng: Phone(rng.choice((1, 2)), speed=True, **noise_of(rng, 3, 10)),
    "3-10 m, no accuracy": lambda rng: Phone(rng.choice((1, 2, 5)), accuracy=False, **noise_of(rng, 3, 10)),
    "15-20 m": lambda rng: Phone(rng.choice((1, 2, 5)), **noise_of(rng, 15, 20)),
    "3-10 m, bad network": lambda rng: Phone(
        rng.choice((1, 2)),
        drops=rng.uniform(0, 0.3),
        doubles=rng.uniform(0, 0.1),
        backlog=rng.uniform(20, 180),
        newest_first=rng.random() < 0.5,
        **noise_of(rng, 3, 10),
    ),
    "3-10 m, wrong clock": lambda rng: Phone(
        rng.choice((1, 2)),
        clock=rng.choice((-1, 1)) * rng.choice((35, 120, 3600, 25_200, 1024 * 7 * 86_400)),
        corrected_at=rng.choice((math.inf, rng.uniform(30, 300))),
        drift=rng.uniform(-1e-3, 1e-3),
        **noise_of(rng, 3, 10),
    ),
    "3-10 m, reflections": lambda rng: Phone(rng.choice((1, 2)), reflections=0.005, **noise_of(rng, 3, 10)),
    "3-10 m, no times": lambda rng: Phone(rng.choice((1, 2)), times=False, **noise_of(rng, 3, 10)),
}


class Outcome(msgspec.Struct, frozen=True):
    """What became of one ride: metres driven, of the straight lines between its true places, and billed; its doubts."""

    kind: str
    phone: str
    driven: float
    polyline: float
    billed: float
    doubts: int


def rides(kinds: Sequence[str], phones: Sequence[str], count: int, seed: int) -> Iterator[Outcome]:
    """Drive, report and measure `count` rides of each kind with each phone."""
    for kind in kinds:
        for phone in phones:
            for n in range(count):
                yield ride(kind, phone, random.Random(f"{seed} {kind} {phone} {n}"))  # noqa: S311


def ride(kind: str, phone: str, rng: Rng) -> Outcome:
    """Drive, report and measure one ride."""
    course = KINDS[kind](rng)
    moments, settings = drive(course), PHONES[phone](rng)
    ideal = report(course, moments, Phone(settings.every), rng)
    polyline = sum(abs(leg(a, b)) for a, b in pairwise(ideal))
    fixes = report(course, moments, settings, rng)
    measured = measure(fixes, Limits(), START)
    found = len(doubts(fixes, measured))
    return Outcome(kind, phone, moments[-1].driven, polyline, measured.metres, found)


# What is printed.

HEAD = (
    "road         phone                  median |median|    |p99|    least     most   chords  doubted   (errors in %)\n"
)


def line(outcomes: Sequence[Outcome]) -> str:
    """Return a row of the table; of a ride without noise the error is that against the line of its places."""
    one, doubted = outcomes[0], sum(1 for o in outcomes if o.doubts)
    if not one.driven:
        return f"{one.kind:12} {one.phone:20} {'':27} at most {max(o.billed for o in outcomes):8.3f} m{doubted:20}"
    of = [o.polyline if o.phone == "no noise" else o.driven for o in outcomes]
    errors = [100 * (o.billed / true - 1) for o, true in zip(outcomes, of, strict=True)]
    sizes = sorted(map(abs, errors))
    worst = sizes[min(len(sizes) - 1, int(0.99 * len(sizes)))]
    chords = statistics.median(100 * (o.polyline / o.driven - 1) for o in outcomes)
    figures = (statistics.median(sizes), worst, min(errors), max(errors), chords)
    return (
        f"{one.kind:12} {one.phone:20} {statistics.median(errors):+8.2f}"
        + "".join(f"{f:9.2f}" for f in figures)
        + f"{doubted:9}"
    )


def main() -> None:
    """Print the table."""
    options = PARSER.parse_args()
    kinds = [kind for kind in KINDS if options.kind in kind]
    phones = [phone for phone in PHONES if options.phone in phone]
    sys.stdout.write(HEAD)
    total = len(kinds) * len(phones) * options.rides
    found = list(tqdm(rides(kinds, phones, options.rides, options.seed), total=total, unit="ride", leave=False))
    for first in range(0, total, options.rides):
        sys.stdout.write(line(found[first : first + options.rides]) + "\n")


if __name__ == "__main__":
    main()
