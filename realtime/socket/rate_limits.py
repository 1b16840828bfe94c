"""Rate limits."""

from __future__ import annotations

import time
from typing import Protocol
from uuid import UUID

from django.conf import settings

from common.errors import RateLimited
from common.process import process
from realtime import metrics
from realtime.contract.reasons import SocketReason

MINUTE = 60

LOCATION_FACTOR = 10
"""Positions that are taken for each one that is shown: phones may send late what they have collected in a tunnel."""


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


class Flooding(Exception):
    """The client went on after many `RATE_LIMIT` answers; the socket is to be closed with 4429."""


class CommandLimit:
    """The commands of one connection: `WS_COMMAND_RATE` a second, `WS_COMMAND_BURST` at once.

    Those that cost a search or a booking also count by user, over all their connections: `WS_COSTLY_RATE` a minute.
    Positions have a limit of their own, `LOCATION_FACTOR` times the rate at which they are shown. Who is refused more
    than `WS_FLOOD_TOLERANCE` times, and one more for each second, is flooding.
    """

    __slots__ = ("_bucket", "_locations", "_patience", "_user_id")

    def __init__(self, user_id: UUID) -> None:
        self._bucket = TokenBucket(settings.WS_COMMAND_RATE, settings.WS_COMMAND_BURST)
        per_second = LOCATION_FACTOR * settings.WS_LOCATION_RATE
        self._locations = TokenBucket(per_second, LOCATION_FACTOR * per_second)
        self._patience = TokenBucket(1, settings.WS_FLOOD_TOLERANCE)
        self._user_id = user_id

    def take_location(self) -> None:
        """Count one position. Raises `RateLimited`; what is refused is not kept for the fare."""
        if wait := self._locations.take():
            metrics.limited("location")
            text = f"At most {LOCATION_FACTOR * settings.WS_LOCATION_RATE} positions a second."
            raise RateLimited(text, retry_after=wait, reason=SocketReason.TOO_MANY_POSITIONS)

    def refused(self) -> None:
        """Count a refusal. Raises `Flooding` when it was one too many."""
        if self._patience.take():
            raise Flooding

    async def take(self, *, costly: bool) -> None:
        """Count one command. Raises `RateLimited`; the command may be sent again with the same `id`."""
        if wait := self._bucket.take():
            metrics.limited("command")
            text = f"At most {settings.WS_COMMAND_RATE} commands a second, and {settings.WS_COMMAND_BURST} at once."
            raise RateLimited(text, retry_after=wait, reason=SocketReason.TOO_MANY_COMMANDS)
        if costly and (wait := await minute_limit("WS_COSTLY_RATE").take(str(self._user_id))):
            metrics.limited("costly")
            text = f"At most {settings.WS_COSTLY_RATE} of these commands a minute."
            raise RateLimited(text, retry_after=wait, reason=SocketReason.TOO_MANY_SEARCHES)


class MinuteLimit(Protocol):
    """Counts by a key, over all connections; the setting that it is named for says how many a minute (0 is no limit).

    Used from the event loop only.
    """

    async def take(self, key: str) -> float:
        """Take one; return 0, or after how many seconds there will be one."""

    def purge(self) -> None:
        """Forget those whose buckets are full again."""


class MemoryMinuteLimit:
    """The buckets of the one process of the embedded default."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._buckets: dict[str, TokenBucket] = {}

    async def take(self, key: str) -> float:
        """Take one; return 0, or after how many seconds there will be one."""
        per_minute: int = getattr(settings, self._setting)
        if not per_minute:
            return 0.0
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(per_minute / MINUTE, per_minute)
        return bucket.take()

    def purge(self) -> None:
        """Forget those whose buckets are full again."""
        for key in [key for key, bucket in self._buckets.items() if bucket.is_full()]:
            del self._buckets[key]


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


class RedisMinuteLimit:
    """The buckets of all processes. While Redis is away nobody is held up."""

    def __init__(self, setting: str) -> None:
        self._setting = setting

    async def take(self, key: str) -> float:
        """Take one; return 0, or after how many seconds there will be one."""
        per_minute: int = getattr(settings, self._setting)
        if not per_minute:
            return 0.0
        from common.redis import AWAY, PREFIX, async_redis  # not in a process that stands alone

        script = async_redis().register_script(_TAKE)
        try:
            name = f"{PREFIX}limit:{self._setting}:{key}"
            return float(await script(keys=[name], args=[per_minute / MINUTE, per_minute]))
        except AWAY:
            return 0.0

    def purge(self) -> None:
        """Do nothing: what is in Redis ends by itself."""


def minute_limit(setting: str) -> MinuteLimit:
    """Return the limit of this process that is named for a setting."""
    limit: MinuteLimit = process.backend("minute_limit", setting)
    return limit


def purge_limits() -> None:
    """Forget those whom no limit holds up any more."""
    for setting in ("WS_COSTLY_RATE", "WS_CONNECT_RATE"):
        minute_limit(setting).purge()
