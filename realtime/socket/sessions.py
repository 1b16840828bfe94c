"""One session per user: which of a user's connections is the newest. `settings.SESSION_STORE` names the store in use.

Each connection gets a number that is larger than every number of the same user before it, of this and of earlier
processes (it is a clock). Whoever holds a smaller one than the newest knows that it was replaced.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from common.redis import PREFIX, async_redis

SESSION_TTL = 7 * 24 * 3600
"""Seconds after which Redis forgets a number; the clock makes sure that a later one is larger all the same."""


class Sessions(Protocol):
    """Gives out session numbers; used from the event loop only."""

    async def take(self, user_id: UUID) -> int:
        """Give a new connection of a user its number."""

    async def newest(self, user_ids: Sequence[UUID]) -> list[int]:
        """Return the number of each user's newest connection; 0 where there is none."""

    async def release(self, user_id: UUID, number: int) -> None:
        """Note that a connection has ended; only the newest one leaves a trace to remove."""


class MemorySessions:
    """The numbers of the one process of the embedded default."""

    def __init__(self) -> None:
        self._newest: dict[UUID, int] = {}

    async def take(self, user_id: UUID) -> int:
        """Give a new connection of a user its number."""
        number = max(self._newest.get(user_id, 0) + 1, time.time_ns() // 1000)
        self._newest[user_id] = number
        return number

    async def newest(self, user_ids: Sequence[UUID]) -> list[int]:
        """Return the number of each user's newest connection; 0 where there is none."""
        return [self._newest.get(user_id, 0) for user_id in user_ids]

    async def release(self, user_id: UUID, number: int) -> None:
        """Note that a connection has ended; only the newest one leaves a trace to remove."""
        if self._newest.get(user_id) == number:
            del self._newest[user_id]


_TAKE = """
local time = redis.call('TIME')
local number = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[1], string.format('%.0f', number), 'EX', ARGV[1])
return number
"""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class RedisSessions:
    """The numbers of all processes, by the clock of Redis."""

    async def take(self, user_id: UUID) -> int:
        """Give a new connection of a user its number."""
        return int(await async_redis().register_script(_TAKE)(keys=[_key(user_id)], args=[SESSION_TTL]))

    async def newest(self, user_ids: Sequence[UUID]) -> list[int]:
        """Return the number of each user's newest connection; 0 where there is none."""
        numbers = await async_redis().mget([_key(user_id) for user_id in user_ids])
        return [int(number or 0) for number in numbers]

    async def release(self, user_id: UUID, number: int) -> None:
        """Note that a connection has ended; only the newest one leaves a trace to remove."""
        await async_redis().register_script(_RELEASE)(keys=[_key(user_id)], args=[number])


def _key(user_id: UUID) -> str:
    return f"{PREFIX}session:{user_id}"


@cache
def sessions() -> Sessions:
    """Return the sessions of this process."""
    store: Sessions = import_string(settings.SESSION_STORE)()
    return store
