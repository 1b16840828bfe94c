"""Rate limits of a connection."""

from __future__ import annotations

import time

from django.conf import settings

from nebengjek.errors import RateLimited


class TokenBucket:
    """Lets through `rate` a second on average and `burst` at once; a rate of 0 is no limit."""

    __slots__ = ("_burst", "_level", "_rate", "_seen")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._seen = time.monotonic()

    def take(self) -> float:
        """Take one; return 0, or after how many seconds there will be one."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        self._level = min(self._burst, self._level + (now - self._seen) * self._rate)
        self._seen = now
        if self._level < 1:
            return (1 - self._level) / self._rate
        self._level -= 1
        return 0.0


class CommandLimit:
    """The commands of one connection: `WS_COMMAND_RATE` a second, `WS_COMMAND_BURST` at once."""

    __slots__ = ("_bucket",)

    def __init__(self) -> None:
        self._bucket = TokenBucket(settings.WS_COMMAND_RATE, settings.WS_COMMAND_BURST)

    def take(self) -> None:
        """Count one command. Raises `RateLimited`; the command may be sent again with the same `id`."""
        wait = self._bucket.take()
        if wait:
            text = f"At most {settings.WS_COMMAND_RATE} commands a second, and {settings.WS_COMMAND_BURST} at once."
            raise RateLimited(text, retry_after=wait)
