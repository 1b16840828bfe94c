"""The time to a pick-up."""

from collections.abc import Sequence
from typing import Any

import pytest

from rides.cells import cell_middle
from rides.eta import GreatCircleETA, eta_seconds
from rides.geo import GeoPoint
from tests.cast import MONAS, north_of


class Slow:
    """An engine that says what it was asked."""

    def seconds(self, origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
        assert all(cell_middle(place) == place for place in (*origins, destination))
        return [61, 3600][: len(origins)]


class Broken:
    """An engine that is down."""

    def seconds(self, origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
        raise TimeoutError("no route")


def test_the_great_circle_is_made_longer_by_the_detour() -> None:
    """25 km/h over 1.4 times the distance: a kilometre takes 201.6 s."""
    [seconds] = GreatCircleETA().seconds([north_of(MONAS, 1000)], MONAS)
    assert seconds == pytest.approx(201.6, rel=1e-4)


def test_times_are_whole_minutes_and_never_none() -> None:
    """Rounded up, and at least one: `0 min` is said of nobody."""
    assert eta_seconds([MONAS, north_of(MONAS, 3000)], MONAS)[0] == 60
    assert all(seconds % 60 == 0 for seconds in eta_seconds([north_of(MONAS, n * 333) for n in range(9)], MONAS))
    assert eta_seconds([], MONAS) == []


def test_they_tell_no_more_than_the_cells() -> None:
    """Anywhere in a cell takes as long as its middle."""
    middle = cell_middle(MONAS)
    places = [north_of(middle, metres) for metres in (-240, -100, 0, 240)]
    assert len(set(eta_seconds(places, north_of(middle, 2000)))) == 1


def test_another_engine_is_a_dotted_path(settings: Any) -> None:
    """It is asked once for all, with cells."""
    settings.ETA_BACKEND = "tests.rides.test_eta.Slow"
    assert eta_seconds([MONAS, MONAS], MONAS) == [120, 3600]


def test_an_engine_that_is_down_stops_no_offer(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The great circle answers, and the log says why."""
    settings.ETA_BACKEND = "tests.rides.test_eta.Broken"
    assert eta_seconds([MONAS], MONAS) == [60]
    assert "Broken failed" in caplog.text
