import random
from typing import Any

import msgspec
import pytest

from realtime.simulation.people import CalledOff, Driver, Habits
from realtime.simulation.phone import Refused
from realtime.simulation.streets import place_at
from rides.geo import distance_km
from tests.cast import MONAS


async def no_login() -> str:
    return ""


def driver(**habits: Any) -> Driver:
    return Driver("Dewi", "ws://nowhere", no_login, random.Random(1), Habits(center=MONAS, report_interval=0, **habits))


async def test_a_driver_in_a_hurry_comes_in_a_few_steps() -> None:
    dewi = driver()
    dewi.place, target = MONAS, place_at(MONAS, 3000, 1.0)
    places = [dewi.place async for _ in dewi._drive_to(target, "1", hurry=True)]
    assert places[-1] == target
    assert len(places) in (3, 4)


async def test_a_driver_turns_round_when_the_ride_is_called_off() -> None:
    dewi = driver()
    dewi.habits = msgspec.structs.replace(dewi.habits, report_interval=0.001)
    dewi.place = MONAS

    async def be_told_on_the_way() -> None:
        async for _ in dewi._drive_to(place_at(MONAS, 500, 1.0), "1"):
            dewi._hear({"type": "ride_cancelled", "data": {"ride_id": "1", "cancelled_by": "passenger"}})

    with pytest.raises(CalledOff, match="by the passenger"):
        await be_told_on_the_way()
    assert 0 < distance_km(MONAS, dewi.place) < 0.1
    assert [frame["type"] for frame in (dewi.inbox.get_nowait(),)] == ["ride_cancelled"]


async def test_that_a_ride_was_cancelled_first_is_no_error_but_anything_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dewi = driver()
    refusal = {"code": "VALIDATION_FAILED", "message": "A ride that is CANCELLED cannot be started"}

    async def refuse(*_: Any, **__: Any) -> None:
        raise Refused(refusal)

    monkeypatch.setattr(dewi.phone, "do", refuse)
    with pytest.raises(CalledOff):
        await dewi._do_on_ride("ride_start", "1")
    await dewi.call_off("1", "left over")
    refusal["message"] = "You are 101 m from the passenger"
    with pytest.raises(Refused):
        await dewi._do_on_ride("ride_start", "1")
    refusal["code"] = "INTERNAL_ERROR"
    with pytest.raises(Refused):
        await dewi.call_off("1", "left over")


def test_a_fare_that_is_not_of_the_distance_is_noted() -> None:
    dewi = driver()
    dewi._check_fare(1.0, {"ride_id": "1", "distance_km": 1.0000001})
    assert dewi.wrong_fares == []
    dewi._check_fare(1.0, {"ride_id": "2", "distance_km": 1.01})
    assert dewi.wrong_fares == ["2: driven 1.000000 km, billed 1.010000 km"]
