"""Rate limits."""

from __future__ import annotations

import time
from functools import cache
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from nebengjek.errors import RateLimited
from nebengjek.redis import AWAY, PREFIX, async_redis

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

    async def take(self, *, costly: bool) -> None:
        """Count one command. Raises `RateLimited`; the command may be sent again with the same `id`."""
        if wait := self._bucket.take():
            text = f"At most {settings.WS_COMMAND_RATE} commands a second, and {settings.WS_COMMAND_BURST} at once."
            raise RateLimited(text, retry_after=wait)
        if costly and settings.WS_COSTLY_RATE and (wait := await costly_limit().take(self._user_id)):
            raise RateLimited(f"At most {settings.WS_COSTLY_RATE} of these commands a minute.", retry_after=wait)


class CostlyLimit(Protocol):
    """Counts the costly commands of each user; used from the event loop only."""

    async def take(self, user_id: UUID) -> float:
        """Take one; return 0, or after how many seconds there will be one."""

    def purge(self) -> None:
        """Forget the users whose buckets are full again."""


class MemoryCostlyLimit:
    """The buckets of the one process of the embedded default."""

    def __init__(self) -> None:
        self._buckets: dict[UUID, TokenBucket] = {}

    async def take(self, user_id: UUID) -> float:
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


_TAKE = """
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'level', 'seen')
local level = math.min(burst, (tonumber(bucket[1]) or burst) + (now - (tonumber(bucket[2]) or now)) * rate)
local wait = 0
if level < 1 then wait = (1 - level) / rate else level = level - 1 end
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'seen', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 1)
return string.format('%.6f', wait)
"""


class RedisCostlyLimit:
    """The buckets of all processes. While Redis is away nobody is held up."""

    async def take(self, user_id: UUID) -> float:
        """Take one; return 0, or after how many seconds there will be one."""
        per_minute = settings.WS_COSTLY_RATE
        script = async_redis().register_script(_TAKE)
        try:
            return float(await script(keys=[f"{PREFIX}costly:{user_id}"], args=[per_minute / MINUTE, per_minute]))
        except AWAY:
            return 0.0

    def purge(self) -> None:
        """Do nothing: what is in Redis ends by itself."""


@cache
def costly_limit() -> CostlyLimit:
    """Return the limit of this process."""
    limit: CostlyLimit = import_string(settings.COSTLY_LIMIT)()
    return limit
