"""The end of a token while its socket is open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from django.conf import settings

from common import clock

LONGEST_TIMER = 24 * 3600.0
"""Seconds; a longer wait is cut into pieces, because timers do not follow the wall clock."""


class TokenWatch:
    """Warns `WS_TOKEN_NOTICE` before a token expires, and acts when it has.

    `warn` is called with the moment of expiry, `end` at that moment; both are awaited in a task of their own.
    """

    def __init__(self, warn: Callable[[datetime], Awaitable[None]], end: Callable[[], Awaitable[None]]) -> None:
        self._warn, self._end = warn, end
        self._expires_at = 0.0
        self._warned = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Future[None]] = set()

    def start(self, expires_at: float) -> None:
        """Watch a token that expires at this time (seconds since the epoch) instead of the one before."""
        self._expires_at, self._warned = expires_at, False
        self._look()

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left = self._expires_at - clock.timestamp()
        notice = settings.WS_TOKEN_NOTICE.total_seconds()
        if left <= 0:
            self._run(self._end())
            return
        if left <= notice and not self._warned:
            self._warned = True
            self._run(self._warn(datetime.fromtimestamp(self._expires_at, UTC)))
        wait = left if self._warned else left - notice
        self._timer = asyncio.get_running_loop().call_later(min(wait, LONGEST_TIMER), self._look)

    def _run(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
