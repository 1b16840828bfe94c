"""What makes staff look at a ride, and that honest phones do not."""

from __future__ import annotations

import random

import msgspec
import pytest

from bench import tracks as laboratory
from rides.metering.doubts import apart, doubts
from rides.metering.fixes import Fix, Limits
from rides.metering.meter import measure
from tests.rides.metering.tracks import START, fix, noisy, straight, track

LIMITS = Limits()


def of(fixes: list[Fix]) -> list[str]:
    return list(doubts(fixes, measure(fixes, LIMITS, START)))


@pytest.mark.parametrize("kind", laboratory.KINDS)
def test_honest_rides_raise_no_doubt(kind: str) -> None:
    """The laboratory's rides are honest, whatever the phone and the network do."""
    for phone in laboratory.PHONES:
        rng = random.Random(f"{kind} {phone}")
        course = laboratory.KINDS[kind](rng)
        if kind == "standing":
            course = msgspec.structs.replace(course, stops=((0.0, 300.0),))
        settings = laboratory.PHONES[phone](rng)
        assert of(laboratory.report(course, laboratory.drive(course), settings, rng)) == [], phone


def test_perfect_accuracy() -> None:
    """An accuracy of 0 m, all the time, is that of a program that makes fixes up."""
    assert "perfect_accuracy" in of(track(straight(), 300, accuracy=0.0))


def test_jitter() -> None:
    """Places that jump by 150 m a second at an accuracy of 5 m are not driven."""
    assert of(noisy(track(straight(0.0), 300), 150))


def test_jumps() -> None:
    """A phone that turns up 50 km away is doubted."""
    fixes = [*track(straight(), 300), *(fix(50_000j + straight()(at), at) for at in range(301, 601))]
    assert of(fixes) == ["jumps"]


def test_apart() -> None:
    """A driver's phone that drives while the passenger's stands is doubted."""
    driver = track(straight(), 600)
    assert apart(driver, track(lambda _: 0j, 600), LIMITS)


@pytest.mark.parametrize("wrong", [0.0, 3600.0])
def test_together(wrong: float) -> None:
    """Two phones in one vehicle are not doubted, whatever their noise and clocks."""
    passenger = [
        msgspec.structs.replace(one, phone_time=(one.phone_time or 0) + wrong) for one in track(straight(), 600, 7)
    ]
    assert not apart(noisy(track(straight(), 600), 10), noisy(passenger, 20, seed=2), LIMITS)
