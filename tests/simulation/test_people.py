import random
from typing import Any

import msgspec
import pytest

from nebengjek_client import Frame, InternalError, ServerError, Tokens, ValidationFailed
from rides.geo import distance_km
from simulation.people import Driver, Habits, RideCancelled
from simulation.streets import place_at
from tests.cast import MONAS


def driver(**habits: Any) -> Driver:
    habits = {"center": MONAS, "report_interval": 0, **habits}
    return Driver("Dewi", "http://nowhere", Tokens("", ""), random.Random(1), Habits(**habits))


async def test_fast_drivers_take_few_steps() -> None:
    """At a high speed a driver arrives in a few steps."""
    dewi = driver()
    dewi.place, target = MONAS, place_at(MONAS, 3000, 1.0)
    places = [dewi.place async for _ in dewi._drive_to(target, "1", hurry=True)]
    assert places[-1] == target
    assert len(places) in (3, 4)


async def test_cancelled_rides_stop_the_drive() -> None:
    """A driver on the way stops when the ride is cancelled, and keeps the event."""
    dewi = driver()
    dewi.habits = msgspec.structs.replace(dewi.habits, report_interval=0.001)
    dewi.place = MONAS

    async def be_told_on_the_way() -> None:
        async for _ in dewi._drive_to(place_at(MONAS, 500, 1.0), "1"):
            dewi._hear(Frame("ride_cancelled", {"ride_id": "1", "cancelled_by": "passenger"}))

    with pytest.raises(RideCancelled, match="by the passenger"):
        await be_told_on_the_way()
    assert 0 < distance_km(MONAS, dewi.place) < 0.1
    assert dewi.inbox.get_nowait().type == "ride_cancelled"


async def test_lost_races_are_no_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That a ride was cancelled first is no error; any other refusal is."""
    dewi = driver()
    reason: ServerError = ValidationFailed("VALIDATION_FAILED", "A ride that is CANCELLED cannot be started")

    async def refuse(*_: Any, **__: Any) -> dict[str, Any]:
        raise reason

    monkeypatch.setattr(dewi.phone, "command", refuse)
    with pytest.raises(RideCancelled):
        await dewi._unless_called_off(dewi.phone.ride_start(ride_id="1"))
    await dewi.call_off("1", "left over")
    reason = ValidationFailed("VALIDATION_FAILED", "You are 101 m from the passenger")
    with pytest.raises(ValidationFailed):
        await dewi._unless_called_off(dewi.phone.ride_start(ride_id="1"))
    reason = InternalError("INTERNAL_ERROR", "Internal server error")
    with pytest.raises(InternalError):
        await dewi.call_off("1", "left over")


async def test_lost_people_start_over() -> None:
    """A person who missed something or whose connection was closed cannot go on."""
    dewi = driver()
    dewi._hear(Frame("session_ready", {"recovered": False}))
    dewi._begun = True
    dewi._hear(Frame("session_ready", {"recovered": True}))
    dewi._hear(Frame("ride_start", {"ride_id": "1"}, 1))
    assert (await dewi.next_of("ride_start"))["ride_id"] == "1"
    for frame in (Frame("session_ready", {"recovered": False}), Frame("closed", {"code": 4409, "reason": "x"})):
        dewi._hear(frame)
        with pytest.raises(ConnectionError, match="Dewi"):
            await dewi.next_of("ride_start")


def test_wrong_fares_are_noted() -> None:
    """A fare that does not match the distance is noted."""
    dewi = driver()
    dewi._check_fare(1.0, {"ride_id": "1", "distance_km": 1.0000001})
    assert dewi.wrong_fares == []
    dewi._check_fare(1.0, {"ride_id": "2", "distance_km": 1.01})
    assert dewi.wrong_fares == ["2: driven 1.000000 km, billed 1.010000 km"]
