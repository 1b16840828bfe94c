"""The contract of every session store."""

import asyncio
import time
from uuid import UUID

import pytest

from realtime.socket.sessions import MemorySessions, RedisSessions, Sessions

A, B = UUID(int=1), UUID(int=2)


@pytest.fixture(params=[MemorySessions, RedisSessions])
def sessions(request: pytest.FixtureRequest) -> Sessions:
    """An empty store."""
    if request.param is RedisSessions:
        request.getfixturevalue("redis_url")
    store: Sessions = request.param()
    return store


async def test_each_connection_has_a_larger_number_than_all_before(sessions: Sessions) -> None:
    numbers = [await sessions.take(A) for _ in range(100)]
    assert numbers == sorted(set(numbers))
    assert abs(numbers[0] - time.time_ns() // 1000) < 10**7
    assert await sessions.newest([A, B]) == [numbers[-1], 0]


async def test_of_many_at_once_each_has_a_number_of_its_own(sessions: Sessions) -> None:
    numbers = await asyncio.gather(*(sessions.take(A) for _ in range(50)))
    assert len(set(numbers)) == 50
    assert await sessions.newest([A]) == [max(numbers)]


async def test_only_the_newest_connection_leaves_a_trace(sessions: Sessions) -> None:
    first, second = await sessions.take(A), await sessions.take(A)
    await sessions.release(A, first)
    assert await sessions.newest([A]) == [second]
    await sessions.release(A, second)
    assert await sessions.newest([A]) == [0]
    assert await sessions.take(A) > second
