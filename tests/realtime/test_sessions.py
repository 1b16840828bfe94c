import time
from uuid import UUID

from realtime.sessions import MemorySessions

A = UUID(int=1)


async def test_each_connection_has_a_larger_number_than_all_before() -> None:
    sessions = MemorySessions()
    numbers = [await sessions.take(A) for _ in range(100)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] >= time.time_ns() // 1000 - 10**6
    assert sessions.newest_now(A) == numbers[-1]


async def test_only_the_newest_connection_leaves_a_trace() -> None:
    sessions = MemorySessions()
    first, second = await sessions.take(A), await sessions.take(A)
    await sessions.release(A, first)
    assert sessions.newest_now(A) == second
    await sessions.release(A, second)
    assert sessions.newest_now(A) == 0
