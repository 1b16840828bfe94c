import random
import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from rides.geo import distance_km
from simulation.city.noise import Gps, Receiver, any_receiver
from simulation.city.streets import Step
from tests.cast import MONAS

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def errors(receiver: Receiver, seed: int = 1, count: int = 4000) -> list[float]:
    gps = Gps(receiver, random.Random(seed))
    fixes = [gps.fix(Step(MONAS), NOON, 1) for _ in range(count)]
    return [distance_km(MONAS, fix.place) * 1000 for fix in fixes if fix is not None]


def test_noise_has_its_spread() -> None:
    """The error has the spread that was asked for, however correlated, and a seed repeats it."""
    for rho in (0.0, 0.9):
        rms = statistics.fmean(error**2 for error in errors(Receiver(sigma=5, rho=rho, drops=0))) ** 0.5
        assert 6 < rms < 8.2  # sigma of two axes: 7.07
    assert errors(Receiver()) == errors(Receiver())
    assert errors(Receiver(), seed=2) != errors(Receiver())


def test_noise_is_correlated() -> None:
    """Errors of one second to the next are alike; those that are not correlated jump."""

    def jump(rho: float) -> float:
        found = errors(Receiver(sigma=5, rho=rho, drops=0))
        return statistics.fmean(abs(a - b) for a, b in pairwise(found))

    assert jump(0.97) < jump(0.0) / 2


def test_fixes_are_missing() -> None:
    """A share of fixes is dropped, and in a tunnel there are none."""
    assert 3000 < len(errors(Receiver(drops=0.2))) < 3400
    gps = Gps(Receiver(drops=0), random.Random(1))
    assert gps.fix(Step(MONAS, covered=True), NOON, 1) is None


def test_clocks_are_wrong() -> None:
    """A fix has the time of the phone's own clock; some phones' clocks are an hour off."""
    fix = Gps(Receiver(clock=-3600, drops=0), random.Random(1)).fix(Step(MONAS), NOON, 1)
    assert fix is not None
    assert fix.timestamp == NOON - timedelta(hours=1)
    clocks = {any_receiver(random.Random(seed)).clock for seed in range(200)}
    assert clocks == {0, -3600, -60, -2, 2, 60, 3600}
