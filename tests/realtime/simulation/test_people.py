import random

import pytest

from realtime.simulation.people import MONAS, Driver, as_data, place_at, place_near
from rides.geo import distance_km


def test_places_lie_within_their_radius() -> None:
    rng = random.Random(1)
    distances = [distance_km(MONAS, place_near(MONAS, 500, rng)) * 1000 for _ in range(500)]
    assert max(distances) <= 500.5
    assert max(distances) > 400
    assert distance_km(MONAS, place_at(MONAS, 1000, 1.0)) == pytest.approx(1, abs=0.001)
    assert as_data(MONAS) == {"latitude": MONAS.latitude, "longitude": MONAS.longitude}


async def test_a_vehicle_comes_to_its_target_in_equal_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.simulation.people.REPORT_INTERVAL", 0)
    driver = Driver("dewi", "ws://nowhere", "token", lambda *_: None, random.Random(1), speed=1)
    driver.place = MONAS
    target = place_at(MONAS, 1050, 0)
    steps, last = [], MONAS
    async for _ in driver._drive_to(target, step_km=0.1):
        steps.append(distance_km(last, driver.place))
        last = driver.place
    assert driver.place == target
    assert len(steps) == 11
    assert steps[:10] == pytest.approx([0.1] * 10, rel=1e-3)


def test_a_fare_that_is_not_of_the_distance_is_noted() -> None:
    driver = Driver("dewi", "ws://nowhere", "token", lambda *_: None, random.Random(1), speed=1)
    driver._check_fare(1.0, {"ride_id": "1", "distance_km": 1.0000001})
    assert driver.wrong_fares == []
    driver._check_fare(1.0, {"ride_id": "2", "distance_km": 1.01})
    assert driver.wrong_fares == ["2: driven 1.000000 km, billed 1.010000 km"]
