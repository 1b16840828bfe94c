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


class Gps:
    """The receiver of one phone; the same `rng` gives the same fixes."""

    def __init__(self, receiver: Receiver, rng: random.Random) -> None:
        self.receiver = receiver
        self._rng = rng
        self._east, self._north = (rng.gauss(0, receiver.sigma) for _ in range(2))

    def fix(self, step: Step, now: datetime, seconds: float) -> Fix | None:
        """Return the fix of a place, `seconds` after the one before; None in tunnels, and when one is dropped."""
        self._east, self._north = self._drifted(self._east, seconds), self._drifted(self._north, seconds)
        if self._rng.random() < self.receiver.drops or step.covered:
            return None
        return Fix(
            self.noisy(step.place),
            now + timedelta(seconds=self.receiver.clock),
            accuracy=max(3.0, round(self.receiver.sigma * math.sqrt(2), 1)),
        )

    def noisy(self, place: GeoPoint) -> GeoPoint:
        """Return a place with the error of now."""
        return _moved(place, self._east, self._north)

    def _drifted(self, error: float, seconds: float) -> float:
        """Let an error fade and be renewed, so that its spread stays `sigma` (first-order Gauss-Markov)."""
        kept = math.pow(self.receiver.rho, seconds)
        return error * kept + self._rng.gauss(0, self.receiver.sigma) * math.sqrt(1 - kept**2)


def any_receiver(rng: random.Random) -> Receiver:
    """Return an ordinary phone; one in five has a clock that is wrong, by seconds or by an hour."""
    wrong = rng.choice((-HOUR, -MINUTE, -2.0, 2.0, MINUTE, HOUR))
    clock = wrong if rng.random() < 0.2 else 0.0
    return Receiver(sigma=rng.uniform(2, 6), rho=rng.uniform(0.8, 0.97), drops=rng.uniform(0, 0.05), clock=clock)


def _moved(place: GeoPoint, east: float, north: float) -> GeoPoint:
    longitude = place.longitude + east / METRES_PER_DEGREE / math.cos(math.radians(place.latitude))
    return GeoPoint(round(place.latitude + north / METRES_PER_DEGREE, 7), round(longitude, 7))
