"""The timers' loop: it sleeps until something is due, and looks again whenever this process has committed an event."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from django.conf import settings

from common import clock
from common.threads import in_read_thread, in_write_thread
from events import wakeups
from rides import windows
from rides.timers import next_due, run_due

LONGEST_SLEEP = 1.0
"""Seconds after which it looks again: another process may have changed what is due."""


class DueLoop:
    """Does what is due, at most once per `TIMERS_INTERVAL`."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Run until cancelled."""
        wakeups.listen(self._wake)
        try:
            await in_read_thread(windows.load)
            while True:
                self._woken.clear()
                seconds = await in_read_thread(seconds_until_due)
                done = await in_write_thread(run_due) if seconds <= 0 else 0
                if done:
                    continue
                pause: float = settings.TIMERS_INTERVAL.total_seconds()
                await asyncio.sleep(pause)
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(seconds, LONGEST_SLEEP) - pause):
                        await self._woken.wait()
        finally:
            wakeups.ignore(self._wake)

    def _wake(self) -> None:
        """Look again; called from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)


def overdue() -> float:
    """Return by how many seconds the oldest thing that is due is late; 0 where nothing is."""
    return max(0.0, -seconds_until_due())


def seconds_until_due() -> float:
    """Return in how many seconds something is due; at most `LONGEST_SLEEP`, and no more than 0 when it is due now."""
    due = next_due()
    return LONGEST_SLEEP if due is None else (due - clock.now()).total_seconds()
