"""One call in the future."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta


class Timer:
    """Calls something once when it is due; stopped and started as often as wanted."""

    __slots__ = ("_call", "_handle")

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        """Whether it is due at some time."""
        return self._handle is not None

    def start(self, after: timedelta | float) -> None:
        """Be due after some time (seconds); a timer that runs already goes on."""
        if self._handle is None:
            seconds = after.total_seconds() if isinstance(after, timedelta) else after
            self._handle = asyncio.get_running_loop().call_later(seconds, self._is_due)

    def stop(self) -> None:
        """Call nobody."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _is_due(self) -> None:
        self._handle = None
        self._call()
