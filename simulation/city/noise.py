"""What a phone makes of the place where it is: noise that lasts, fixes that are missing, a clock that is wrong."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

import msgspec

from rides.geo import GeoPoint
from simulation.city.streets import Step
from simulation.streets import METRES_PER_DEGREE

MINUTE, HOUR = 60.0, 3600.0


class Receiver(msgspec.Struct, frozen=True):
    """A phone's GPS and clock.

    `sigma` is the noise of each axis in metres, `rho` its correlation over a second, `drops` the share of fixes that
    never come, `clock` by how many seconds the phone's clock is fast.
    """

    sigma: float = 4.0
    rho: float = 0.9
    drops: float = 0.02
    clock: float = 0.0


class Fix(msgspec.Struct, frozen=True):
    """What the phone reports: a place, the time by its own clock, and the accuracy in metres that it believes in."""

    place: GeoPoint
    timestamp: datetime
    accuracy: float


class Drift:
    """The noise of GPS on two axes, in metres: it fades and is renewed, so that its spread stays `sigma`.

    `rho` is the correlation over a second (first-order Gauss-Markov). The meter is measured with the same noise
    (`bench.tracks`).
    """

    def __init__(self, sigma: float, rho: float, rng: random.Random) -> None:
        self._sigma, self._rho, self._rng = sigma, rho, rng
        self.now = rng.gauss(0, sigma), rng.gauss(0, sigma)

    def after(self, seconds: float) -> tuple[float, float]:
        """Return the noise so many seconds later."""
        if seconds > 0:
            kept = math.pow(self._rho, seconds)
            fresh = self._sigma * math.sqrt(1 - kept * kept)
            x, y = self.now
            self.now = kept * x + self._rng.gauss(0, fresh), kept * y + self._rng.gauss(0, fresh)
        return self.now


class Gps:
    """The receiver of one phone; the same `rng` gives the same fixes."""

    def __init__(self, receiver: Receiver, rng: random.Random) -> None:
        self.receiver = receiver
        self._rng = rng
        self._drift = Drift(receiver.sigma, receiver.rho, rng)

    def fix(self, step: Step, now: datetime, seconds: float) -> Fix | None:
        """Return the fix of a place, `seconds` after the one before; None in tunnels, and when one is dropped."""
        self._drift.after(seconds)
        if self._rng.random() < self.receiver.drops or step.covered:
            return None
        return Fix(
            self.noisy(step.place),
            now + timedelta(seconds=self.receiver.clock),
            accuracy=max(3.0, round(self.receiver.sigma * math.sqrt(2), 1)),
        )

    def noisy(self, place: GeoPoint) -> GeoPoint:
        """Return a place with the error of now."""
        return _moved(place, *self._drift.now)


def any_receiver(rng: random.Random) -> Receiver:
    """Return an ordinary phone; one in five has a clock that is wrong, by seconds or by an hour."""
    wrong = rng.choice((-HOUR, -MINUTE, -2.0, 2.0, MINUTE, HOUR))
    clock = wrong if rng.random() < 0.2 else 0.0
    return Receiver(sigma=rng.uniform(2, 6), rho=rng.uniform(0.8, 0.97), drops=rng.uniform(0, 0.05), clock=clock)


def _moved(place: GeoPoint, east: float, north: float) -> GeoPoint:
    longitude = place.longitude + east / METRES_PER_DEGREE / math.cos(math.radians(place.latitude))
    return GeoPoint(round(place.latitude + north / METRES_PER_DEGREE, 7), round(longitude, 7))
