"""Loops that run for ever in a process, whatever goes wrong in one of their rounds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.db import InterfaceError, OperationalError

from common.errors import brief
from common.redis import AWAY

logger = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]

CANCEL_AGAIN = 0.5
"""Seconds after which a task that has not ended is cancelled once more."""

RESTART_DELAY = 1.0
"""Seconds before a loop that failed goes on."""

UNAVAILABLE = (*AWAY, OperationalError, InterfaceError)
"""What says that Redis or the database is away: worth a line, but no traceback."""


class Loops:
    """A set of named loops."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def are_running(self) -> bool:
        """Whether everything that was started still runs."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    def start(self, loops: Mapping[str, Work]) -> None:
        """Run these loops until `stop`."""
        self._tasks = [asyncio.create_task(_keep_running(name, loop), name=name) for name, loop in loops.items()]

    async def stop(self) -> None:
        """Stop all of them."""
        await end(*self._tasks)
        self._tasks = []


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended: in Python 3.11 `asyncio.wait_for`, which libraries use, may swallow that."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)


def every(seconds: float, work: Work) -> Work:
    """Return a loop that does some work, waits so long, and so on."""

    async def loop() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    return loop


async def _keep_running(name: str, loop: Work) -> None:
    while True:
        try:
            await loop()
        except UNAVAILABLE as exc:
            logger.warning("The %s waits: %s", name, brief(exc))
        except Exception:
            logger.exception("The %s failed and goes on in %g s.", name, RESTART_DELAY)
        await asyncio.sleep(RESTART_DELAY)
