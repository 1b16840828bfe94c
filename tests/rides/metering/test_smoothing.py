"""The smoother, and what it finds out about noise."""

from __future__ import annotations

import random
import statistics

import pytest

from rides.metering.smoothing import (
    CALM_AGILITY,
    Noise,
    Track,
    estimate,
    even_agilities,
    is_silent,
    settle,
    smooth,
    speed_noise,
)


def shaken(sigma: float, rho: float, count: int = 600, speed: float = 10.0) -> Track:
    rng, noise, places = random.Random(4), complex(0), []
    for n in range(count):
        fresh = sigma * (1 - rho * rho) ** 0.5 if n else sigma
        noise = rho * noise + complex(rng.gauss(0, fresh), rng.gauss(0, fresh))
        places.append(complex(speed * n, 0) + noise)
    return Track([float(n) for n in range(count)], places)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_an_even_pace_is_left_alone(rho: float) -> None:
    """A straight road at an even pace has nothing to smooth."""
    track = shaken(0, 0)
    smoothed = smooth(track, [10.0] * 600, rho, even_agilities(track, 1.0))
    assert smoothed.places == pytest.approx(track.places)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_noise_is_taken_off(rho: float) -> None:
    """A smoothed straight road is hardly longer than it is, where the noisy one is."""
    track = shaken(10, rho)
    smoothed = settle(track, [10.0] * 600, Noise(10, rho, 1)).track
    length = sum(abs(leg) for leg in smoothed.legs())
    assert sum(abs(leg) for leg in track.legs()) > 6300
    assert length == pytest.approx(5990, rel=0.02)


@pytest.mark.parametrize("accuracy", [None, 1.0, 1.5])
@pytest.mark.parametrize(("sigma", "rho"), [(3, 0), (10, 0), (10, 0.9), (20, 0.5)])
def test_noise_is_estimated(sigma: float, rho: float, accuracy: float | None) -> None:
    """How far fixes jump is found within a fifth, whether the accuracy is a standard deviation, a radius or unknown."""
    noise = estimate(shaken(sigma, rho), accuracy and accuracy * sigma)
    jump = noise.sigma * (1 - noise.step) ** 0.5
    assert jump == pytest.approx(sigma * (1 - rho) ** 0.5, rel=0.2)


def test_a_track_without_noise_is_silent() -> None:
    """A track without noise is told from one with little."""
    for sigma, silent in ((0.0, True), (0.05, True), (2.0, False)):
        track = shaken(sigma, 0)
        assert is_silent(track, estimate(track, 5.0)) == silent


@pytest.mark.parametrize(("sigma", "rho"), [(5, 0), (10, 0.9)])
def test_the_speed_that_noise_feigns_is_known(sigma: float, rho: float) -> None:
    """What noise leaves of speed in a smoothed stand is what the formula says."""
    track, noise = shaken(sigma, rho, count=4000, speed=0), Noise(sigma, rho, 1)
    calm = smooth(track, [float(sigma)] * 4000, rho, even_agilities(track, CALM_AGILITY))
    found = statistics.fmean(abs(leg) ** 2 / 2 for leg in calm.legs())
    assert found == pytest.approx(speed_noise(noise, CALM_AGILITY, lambda gain: gain), rel=0.15)
