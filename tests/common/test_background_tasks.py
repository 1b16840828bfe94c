import asyncio

import pytest
from django.db import OperationalError

from common import background_tasks as module
from common.background_tasks import Loops, end, every, first_of, keep_running, unless_stopped, until_next_beat
from tests.patience import within


async def wait_for(count: int, runs: list[int]) -> None:
    async with within():
        while len(runs) < count:
            await asyncio.sleep(0.01)


async def test_a_loop_that_fails_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "RESTART_DELAY", 0.01)
    runs: list[int] = []

    async def fragile() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise RuntimeError("broken")
        if len(runs) == 2:
            raise OperationalError("the database is away")
        await asyncio.Event().wait()

    loops = Loops()
    loops.start({"work": fragile})
    await wait_for(3, runs)
    running = loops.are_running
    await loops.stop()
    assert (running, loops.are_running) == (True, False)
    assert caplog.text.count("The work failed") == 1
    assert "The work is waiting: the database is away" in caplog.text
    assert caplog.text.count("Traceback") == 1


async def test_work_is_done_again_and_again() -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)

    loops = Loops()
    loops.start({"work": every(0.001, work)})
    await wait_for(3, runs)
    await loops.stop()


async def test_who_swallows_a_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANCEL_AGAIN", 0.01)
    told: list[int] = []

    async def deaf() -> None:
        while len(told) < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append(1)

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await end(task)
    assert len(told) == 3


async def test_some_errors_end_a_loop() -> None:
    async def ended() -> None:
        raise InterruptedError("over")

    with pytest.raises(InterruptedError):
        await keep_running("work", ended, ends_with=(InterruptedError,))


async def test_an_outage_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """However long it lasts, the same reason is not logged again for a while."""
    runs: list[int] = []

    async def away() -> None:
        runs.append(1)
        raise OperationalError("away")

    task = asyncio.create_task(keep_running("work", away, delay=0))
    await wait_for(20, runs)
    await end(task)
    assert caplog.text.count("The work is waiting: away") == 1


async def test_the_first_task_decides() -> None:
    async def fail() -> None:
        raise ValueError("wrong")

    endless = asyncio.create_task(asyncio.Event().wait())
    await first_of(endless, asyncio.create_task(asyncio.sleep(0)))
    with pytest.raises(ValueError, match="wrong"):
        await first_of(endless, asyncio.create_task(fail()))
    await end(endless)


async def test_work_ends_when_it_is_stopped() -> None:
    """It is cancelled then; work that was done before returns what it has."""
    stopping, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 1

    async def quick() -> int:
        return 2

    assert await unless_stopped(stopping, quick()) == 2
    waiting = asyncio.create_task(unless_stopped(stopping, endless()))
    await asyncio.sleep(0)
    stopping.set()
    assert await waiting is None
    assert ended.is_set()
    assert await unless_stopped(stopping, quick()) is None  # not even begun


async def test_who_is_cancelled_takes_the_work_along() -> None:
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(unless_stopped(asyncio.Event(), endless()))
    await asyncio.sleep(0.01)
    await end(waiting)
    assert ended.is_set()


def test_loops_of_a_process_wake_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever they began: a loop of half a second wakes another one of a second."""
    monkeypatch.setattr(module, "_BEAT", 100.0)
    for began in (100.1, 100.3, 100.7):
        monkeypatch.setattr("common.background_tasks.time.monotonic", lambda began=began: began)
        slow, fast = (began + until_next_beat(seconds, least=0.0) for seconds in (1.0, 0.5))
        assert slow == pytest.approx(101)
        assert fast in (pytest.approx(100.5), pytest.approx(101))


def test_work_that_took_long_has_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BEAT", 100.0)
    monkeypatch.setattr("common.background_tasks.time.monotonic", lambda: 100.9)
    assert until_next_beat(1.0, least=0.5) == 1.0
    monkeypatch.setattr("common.background_tasks.time.monotonic", lambda: 100.1)
    assert until_next_beat(1.0, least=0.5) == pytest.approx(0.9)
