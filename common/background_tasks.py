"""Tasks: loops that run until they are stopped whatever goes wrong in them, and waiting for one task of several."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from common.errors import brief
from common.retrying import Errors, Repetition
from common.unavailable import unavailable

R = TypeVar("R")

logger = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]

CANCEL_AGAIN = 0.5
"""Seconds after which a task that has not ended is cancelled once more."""

RESTART_DELAY = 1.0
"""Seconds before a loop that failed goes on."""

FAILING = 8.0
"""Seconds after a failure for which a loop counts as failing: one that goes on failing does so more often."""


class Loops:
    """A set of named loops; `on_failure` is called with the name of a loop at each of its failures."""

    def __init__(self, on_failure: Callable[[str], None] = lambda _: None) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._on_failure = on_failure
        self._failed_at: dict[str, float] = {}

    @property
    def are_running(self) -> bool:
        """Whether everything that was started still runs."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    @property
    def failing(self) -> list[str]:
        """The names of the loops that failed within the last `FAILING` seconds."""
        now = time.monotonic()
        return sorted(name for name, moment in tuple(self._failed_at.items()) if now < moment + FAILING)

    def start(self, loops: Mapping[str, Work]) -> None:
        """Run these loops until `stop`."""
        self._tasks = [
            asyncio.create_task(keep_running(name, loop, on_failure=self._note_failure), name=name)
            for name, loop in loops.items()
        ]

    async def stop(self) -> None:
        """Stop all of them."""
        await end(*self._tasks)
        self._tasks = []

    def _note_failure(self, name: str) -> None:
        self._failed_at[name] = time.monotonic()
        self._on_failure(name)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended: in Python 3.11 `asyncio.wait_for`, which libraries use, may swallow that."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)


def every(seconds: float, work: Work) -> Work:
    """Return a loop that does some work, waits so long, and so on; see `until_next_beat`."""

    async def loop() -> None:
        await work()
        await asyncio.sleep(until_next_beat(seconds, least=0.0))
        while True:
            await work()
            await asyncio.sleep(until_next_beat(seconds, least=seconds / 2))

    return loop


def until_next_beat(seconds: float, *, least: float) -> float:
    """Return how long to wait, at most so many seconds, so that the loops of this process wake together.

    A process that idles is woken as often as its fastest loop needs, and not by each loop at a time of its own. Where
    that would be less than `least`, because the work took long, it is the whole time.
    """
    pause = seconds - (time.monotonic() - _BEAT) % seconds
    return pause if pause >= least else seconds


_BEAT = time.monotonic()
"""The moment that the beats of this process are counted from; other processes have others."""


async def keep_running(
    name: str,
    loop: Work,
    *,
    passing: Errors | None = None,
    ends_with: Errors = (),
    delay: float | None = None,
    on_failure: Callable[[str], None] = lambda _: None,
) -> None:
    """Run a loop again after every error, except those of `ends_with`, which are raised.

    Those of `passing` (`unavailable()` by default) are a line without a traceback.

    `on_failure` is called with its name after each error.
    """
    repetition = Repetition()
    while True:
        try:
            await loop()
        except ends_with:
            raise
        except Exception as exc:
            if not isinstance(exc, unavailable() if passing is None else passing):
                logger.exception("The %s failed, restarting.", name)
            elif repetition.is_new(reason := brief(exc)):
                logger.warning("The %s is waiting: %s", name, reason)
        on_failure(name)
        await asyncio.sleep(RESTART_DELAY if delay is None else delay)


async def first_of(*tasks: asyncio.Task[Any]) -> None:
    """Return when the first of these tasks has ended; raises what it raised."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def unless_stopped(stopping: asyncio.Event, work: Coroutine[Any, Any, R]) -> R | None:
    """Return what `work` returns; None, having cancelled it, when `stopping` is set before it is done."""
    if stopping.is_set():
        work.close()
        return None
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await end(task, stopped)
