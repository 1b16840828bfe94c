"""Small tracks for the tests of the meter: metres on a plane, made into fixes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import msgspec

from rides.metering.fixes import EARTH_RADIUS_M, Fix, leg

START = 1_780_000_000.0
PLACE = (-6.1754, 106.8272)
Way = Callable[[float], complex]


def fix(place: complex, at: float, **more: object) -> Fix:
    """The fix of a place (metres east + i north of Monas) `at` seconds after the start; the phone's clock is right."""
    latitude = PLACE[0] + math.degrees(place.imag / EARTH_RADIUS_M)
    longitude = PLACE[1] + math.degrees(place.real / EARTH_RADIUS_M / math.cos(math.radians(latitude)))
    one = Fix(latitude, longitude, START + at + 0.1, START + at, accuracy=5.0)
    return msgspec.structs.replace(one, **more)


def track(way: Way, seconds: float, every: float = 1.0, **more: object) -> list[Fix]:
    """The fixes of a way, without noise."""
    return [fix(way(at), at, **more) for at in (n * every for n in range(int(seconds / every) + 1))]


def noisy(fixes: Iterable[Fix], sigma: float, rho: float = 0.0, seed: int = 1) -> list[Fix]:
    """The same fixes with noise of `sigma` metres, of which the share `rho` is left at the next fix."""
    rng, noise, shaken = random.Random(seed), 0j, []
    for n, one in enumerate(fixes):
        fresh = sigma * math.sqrt(1 - rho * rho) if n else sigma
        noise = rho * noise + complex(rng.gauss(0, fresh), rng.gauss(0, fresh))
        across = EARTH_RADIUS_M * math.cos(math.radians(one.latitude))
        latitude, longitude = (
            one.latitude + math.degrees(noise.imag / EARTH_RADIUS_M),
            math.degrees(noise.real / across),
        )
        shaken.append(msgspec.structs.replace(one, latitude=latitude, longitude=one.longitude + longitude))
    return shaken


def straight(speed: float = 10.0) -> Way:
    """Straight on to the north-east."""
    return lambda at: speed * at * complex(0.6, 0.8)


def circle(radius: float, speed: float) -> Way:
    """Round and round."""
    return lambda at: radius * complex(math.cos(speed * at / radius), math.sin(speed * at / radius))


def polyline(fixes: Sequence[Fix]) -> float:
    """The metres of the straight lines between fixes."""
    return sum(abs(leg(a, b)) for a, b in pairwise(fixes))
