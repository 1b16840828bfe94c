"""The timer behind the clocks of a connection."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from realtime.server.timer import Timer
from tests.patience import until


async def test_a_timer_calls_once() -> None:
    """Started twice, it is due once, after the first time; afterwards it can be started again."""
    calls: list[int] = []
    timer = Timer(lambda: calls.append(1))
    timer.start(0.01)
    timer.start(timedelta(hours=1))
    await until(lambda: calls)
    timer.start(timedelta(milliseconds=1))
    await until(lambda: len(calls) == 2)


async def test_a_stopped_timer_is_silent() -> None:
    """Stopped, it calls nobody; stopping it twice is fine, and it can be started again."""
    calls: list[int] = []
    timer, later = Timer(lambda: calls.append(1)), Timer(lambda: calls.append(2))
    timer.stop()
    timer.start(0.001)
    timer.stop()
    timer.stop()
    later.start(0.002)
    await until(lambda: calls)
    await asyncio.sleep(0)
    assert calls == [2]
    timer.start(0.001)
    await until(lambda: calls == [2, 1])
