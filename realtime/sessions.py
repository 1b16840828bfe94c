"""One session per user: which of a user's connections is the newest."""

from __future__ import annotations

import time
from functools import cache
from uuid import UUID


class MemorySessions:
    """Session numbers in the memory of the one process of the embedded default. Used from the event loop only.

    A number is larger than every number before it, of this and of earlier processes (it is a clock), so whoever holds a
    smaller one knows that it was replaced.
    """

    def __init__(self) -> None:
        self._newest: dict[UUID, int] = {}

    async def take(self, user_id: UUID) -> int:
        """Give a new connection of a user its number."""
        number = max(self._newest.get(user_id, 0) + 1, time.time_ns() // 1000)
        self._newest[user_id] = number
        return number

    def newest_now(self, user_id: UUID) -> int:
        """Return the number of a user's newest connection; 0 where there is none."""
        return self._newest.get(user_id, 0)

    async def release(self, user_id: UUID, number: int) -> None:
        """Note that a connection has ended; only the newest one leaves a trace to remove."""
        if self._newest.get(user_id) == number:
            del self._newest[user_id]


@cache
def sessions() -> MemorySessions:
    """Return the sessions of this process."""
    return MemorySessions()
