"""The time by the one clock that all processes share: PostgreSQL's. On SQLite there is no other clock than ours.

It is not asked each time, but measured now and then against a clock of the machine that nobody sets. So it costs
nothing, may be read anywhere, and a process whose own clock is an hour off neither ends offers too early nor bills a
ride wrongly. A process that has not measured yet, such as a shell, has its own clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial

from django.db import connection
from django.utils import timezone

from common.db import AWAY, database_now
from common.process import process
from common.threads import in_read_thread

INTERVAL = 10.0
"""Seconds between two measurements: clocks drift, and machines are suspended."""

MAX_SKEW = 2.0
"""Seconds by which the clock of a process may differ from the database's."""

steady = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
"""Seconds of a clock that nobody sets; on Linux it goes on while the machine sleeps."""


class SharedClock:
    """The clock of the database, as this process has measured it."""

    def __init__(self) -> None:
        self._ahead: float | None = None  # seconds by which it is ahead of the steady one

    def timestamp(self) -> float:
        """Return the seconds since 1970."""
        return timezone.now().timestamp() if self._ahead is None else steady() + self._ahead

    @property
    def skew(self) -> float:
        """The seconds by which the clock of this process is ahead of it; 0 before it was measured."""
        return timezone.now().timestamp() - self.timestamp()

    def measure(self) -> None:
        """Ask the database; in a thread that may. An answer that took long says little, and changes nothing."""
        if connection.vendor != "postgresql":
            return
        began = steady()
        answer = database_now().timestamp()
        ended = steady()
        ahead, error = answer - (began + ended) / 2, (ended - began) / 2
        if self._ahead is None or abs(ahead - self._ahead) > error:
            self._ahead = ahead


def shared_clock() -> SharedClock:
    """Return the clock of this process."""
    return process.one(SharedClock, SharedClock)


def timestamp() -> float:
    """Return the seconds since 1970, by the clock that all processes share."""
    return shared_clock().timestamp()


def now() -> datetime:
    """Return the time, by the clock that all processes share."""
    clock = shared_clock()
    return timezone.now() if clock._ahead is None else datetime.fromtimestamp(clock.timestamp(), UTC)


async def measure() -> None:
    """Measure; while the database is away, the last measurement holds, and others say so."""
    try:
        await in_read_thread(shared_clock().measure)
    except AWAY:
        return
