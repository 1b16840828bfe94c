"""Rate limits."""

from __future__ import annotations

import time
from functools import cache
from uuid import UUID

from django.conf import settings

from nebengjek.errors import RateLimited

MINUTE = 60


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

    def is_full(self) -> bool:
        """Whether nothing was taken for so long that it does not matter any more."""
        return self._level + (time.monotonic() - self._seen) * self._rate >= self._burst


class CommandLimit:
    """The commands of one connection: `WS_COMMAND_RATE` a second, `WS_COMMAND_BURST` at once.

    Those that cost a search or a booking are also counted by user, over all his connections: `WS_COSTLY_RATE` a minute.
    """

    __slots__ = ("_bucket", "_user_id")

    def __init__(self, user_id: UUID) -> None:
        self._bucket = TokenBucket(settings.WS_COMMAND_RATE, settings.WS_COMMAND_BURST)
        self._user_id = user_id

    def take(self, *, costly: bool) -> None:
        """Count one command. Raises `RateLimited`; the command may be sent again with the same `id`."""
        if wait := self._bucket.take():
            text = f"At most {settings.WS_COMMAND_RATE} commands a second, and {settings.WS_COMMAND_BURST} at once."
            raise RateLimited(text, retry_after=wait)
        if costly and (wait := costly_buckets().take(self._user_id)):
            raise RateLimited(f"At most {settings.WS_COSTLY_RATE} of these commands a minute.", retry_after=wait)


class CostlyBuckets:
    """The costly commands of each user of this process; used from the event loop only."""

    def __init__(self) -> None:
        self._buckets: dict[UUID, TokenBucket] = {}

    def take(self, user_id: UUID) -> float:
        """Take one; return 0, or after how many seconds there will be one."""
        bucket = self._buckets.get(user_id)
        if bucket is None:
            per_minute = settings.WS_COSTLY_RATE
            bucket = self._buckets[user_id] = TokenBucket(per_minute / MINUTE, per_minute)
        return bucket.take()

    def purge(self) -> None:
        """Forget the users whose buckets are full again."""
        for user_id in [user_id for user_id, bucket in self._buckets.items() if bucket.is_full()]:
            del self._buckets[user_id]


@cache
def costly_buckets() -> CostlyBuckets:
    """Return the buckets of this process."""
    return CostlyBuckets()
