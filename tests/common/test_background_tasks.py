import asyncio

import pytest
from django.db import OperationalError

from common import background_tasks as module
from common.background_tasks import Loops, end, every


async def wait_for(count: int, runs: list[int]) -> None:
    async with asyncio.timeout(5):
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
    assert "The work waits: the database is away" in caplog.text
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
