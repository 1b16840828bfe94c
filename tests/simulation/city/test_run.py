"""A run of the city, without a server: how it waits, ends, looks on and tells."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from nebengjek_client import InternalError, Unauthorized, Unreachable
from simulation.city import run
from simulation.city.promises import Promises, Violation
from simulation.city.record import Facts, Record
from simulation.city.run import Audience, City, CityPlan, Progress, Watch, through_faults
from tests.patience import within
from tests.simulation.city.ride import honest, ride

PLAN = CityPlan(urls=("http://127.0.0.1:1",), drivers=1, passengers=2, rides=6, speed=1, seed=1)


async def test_people_try_again_while_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server or database that is away is waited for; a refusal is final, and so is patience."""
    monkeypatch.setattr(run, "TICK", 0)
    away = [Unreachable("x"), OperationalError("x"), InternalError("INTERNAL_ERROR", "x", status=503)]

    async def call() -> int:
        if away:
            raise away.pop()
        return 7

    assert await through_faults(call) == 7
    away = [Unauthorized("UNAUTHORIZED", "x", status=401)]
    with pytest.raises(Unauthorized):
        await through_faults(call)
    monkeypatch.setattr(run, "LOGIN_PATIENCE", -1)
    away = [Unreachable("x")]
    with pytest.raises(Unreachable):
        await through_faults(call)


class Rider:
    """A passenger whose rides take no time, and are noted."""

    name = "Putri"

    def __init__(self) -> None:
        self.began: list[float] = []
        self.mishaps: list[str] = []

    async def settle(self) -> None:
        raise ConnectionError("away")

    async def take_ride(self) -> None:
        self.began.append(time.monotonic())


async def test_rides_begin_evenly() -> None:
    """Rides are spread over the time that the plan gives them, whoever takes them; who cannot settle says so."""
    city: Any = City(CityPlan(**{**_fields(PLAN), "over": 0.3}))
    city.passengers = [Rider(), Rider()]
    begun = time.monotonic()
    await city.live()
    began = sorted(at - begun for rider in city.passengers for at in rider.began)
    assert len(began) == city.rides == 6
    for number, at in enumerate(began):
        assert at >= number * 0.05 - 0.01
    assert city.passengers[0].mishaps[0].endswith("could not settle: away")


def _fields(plan: CityPlan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__struct_fields__}


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _fail() -> None:
    raise RuntimeError("x")


async def test_a_life_ends_by_itself_by_time_or_by_hand() -> None:
    """What has ended a run is told; a fault of ours is raised; SIGINT ends it, and is an ordinary SIGINT afterwards."""
    of_pytest = signal.getsignal(signal.SIGINT)
    assert await run._until_stopped(asyncio.sleep(0), 5) == ""
    assert await run._until_stopped(_for_ever(), 0.01) == "stopped after 0.01 s"
    with pytest.raises(RuntimeError):
        await run._until_stopped(_fail(), 5)
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    assert await run._until_stopped(_for_ever(), 5) == "interrupted"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, of_pytest)


class Books:
    """A reader of books that are given; an exception is raised."""

    def __init__(self, *answers: Facts | Exception) -> None:
        self._answers = [*answers]

    def read(self, _users: Any, _driven: Any, **_: bool) -> Facts:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Listener(Audience):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.figures: list[Progress] = []

    def progress(self, progress: Progress) -> None:
        self.figures.append(progress)

    def violation(self, violation: Violation, record: Record) -> None:
        assert set(violation.people) <= set(record.people)
        self.heard.append(violation.rule)


def _city(record: Record) -> Any:
    progress = Progress(rides=3)
    return SimpleNamespace(record=record, plan=PLAN, driven=dict, progress=lambda: progress)


async def test_the_watch_tells_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken promise is told while the city lives, by frames and by books; a database that is away is no fault."""
    monkeypatch.setattr(run, "BOOKS_TICKS", 1)
    monkeypatch.setattr(run, "TICK", 0.01)
    record, facts = honest()
    live = Record()
    live.people.update(record.people)
    audience = Listener()
    books: Any = Books(OperationalError("x"), Facts([ride(ledger_cost=1)], facts.events))
    watch = Watch(_city(live), books, audience)
    frames = record.frames["Putri"]
    for seen in (*frames[:4], frames[6]):
        live.note("Putri", seen.direction, seen.frame)
    assert audience.heard == ["order"]
    looking = asyncio.create_task(watch.look_on())
    async with within():
        while len(audience.figures) < 2:
            await asyncio.sleep(0.01)
    looking.cancel()
    assert audience.heard == ["order", "books"]
    assert audience.figures[-1].violations == 2


async def test_the_watch_concludes_with_all_facts() -> None:
    """In the end the events of all looks are there, and what has no end is found."""
    record, facts = honest()
    books: Any = Books(facts, Facts([ride(status="ONGOING", driver_free=None, passenger_free=None)]))
    watch = Watch(_city(record), books, audience := Listener())
    await watch._look(is_over=False)
    concluded = await watch.conclude()
    assert concluded.events == facts.events
    assert "no end" in audience.heard
    assert watch.checker.resets == {}
    assert Promises() == PLAN.promises
