from typing import Any
from uuid import UUID

import pytest

from common.errors import RateLimited
from common.redis import close_async_redis
from realtime.socket.rate_limits import (
    CommandLimit,
    Flooding,
    MemoryMinuteLimit,
    MinuteLimit,
    RedisMinuteLimit,
    TokenBucket,
)

A, B = UUID(int=1), UUID(int=2)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still; its only element is the time."""
    now = [1000.0]
    monkeypatch.setattr("realtime.socket.rate_limits.time.monotonic", lambda: now[0])
    return now


def test_a_burst_passes_and_then_the_rate_holds(clock: list[float]) -> None:
    bucket = TokenBucket(rate=2, burst=3)
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == 0.5
    clock[0] += 0.5
    assert bucket.take() == 0
    assert not bucket.is_full()
    clock[0] += 100
    assert bucket.is_full()
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_rate_of_zero_is_no_limit(clock: list[float]) -> None:
    bucket = TokenBucket(rate=0, burst=1)
    assert {bucket.take() for _ in range(100)} == {0}


async def test_commands_are_limited_by_connection(clock: list[float], settings: Any) -> None:
    settings.WS_COMMAND_RATE, settings.WS_COMMAND_BURST = 10, 2
    limit, other = CommandLimit(A), CommandLimit(A)
    await limit.take(costly=False)
    await limit.take(costly=False)
    with pytest.raises(RateLimited, match="At most 10 commands a second, and 2 at once") as caught:
        await limit.take(costly=False)
    assert caught.value.retry_after == pytest.approx(0.1)
    await other.take(costly=False)


async def test_what_costs_is_limited_by_user_over_all_connections(clock: list[float], settings: Any) -> None:
    settings.WS_COSTLY_RATE = 2
    await CommandLimit(A).take(costly=True)
    await CommandLimit(A).take(costly=True)
    with pytest.raises(RateLimited, match="At most 2 of these commands a minute"):
        await CommandLimit(A).take(costly=True)
    await CommandLimit(A).take(costly=False)
    await CommandLimit(B).take(costly=True)


async def test_those_who_have_rested_are_forgotten(clock: list[float], settings: Any) -> None:
    settings.WS_COSTLY_RATE = 60
    limit = MemoryMinuteLimit("WS_COSTLY_RATE")
    await limit.take("A")
    limit.purge()
    assert list(limit._buckets) == ["A"]
    clock[0] += 2
    limit.purge()
    assert not limit._buckets


@pytest.fixture(params=[MemoryMinuteLimit, RedisMinuteLimit])
def costly(request: pytest.FixtureRequest) -> MinuteLimit:
    """A limit of which nothing has been taken."""
    if request.param is RedisMinuteLimit:
        request.getfixturevalue("redis_url")
    limit: MinuteLimit = request.param("WS_COSTLY_RATE")
    return limit


async def test_every_store_lets_so_many_through_and_says_when_to_come_back(costly: MinuteLimit, settings: Any) -> None:
    settings.WS_COSTLY_RATE = 3
    assert [await costly.take("A") for _ in range(3)] == [0, 0, 0]
    assert 19 < await costly.take("A") <= 20
    assert await costly.take("B") == 0
    costly.purge()
    assert await costly.take("A") > 0


async def test_while_redis_is_away_nobody_is_held_up(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.WS_COSTLY_RATE = 1
    assert [await RedisMinuteLimit("WS_COSTLY_RATE").take("A") for _ in range(3)] == [0, 0, 0]
    await close_async_redis()


def test_positions_have_a_limit_of_their_own(clock: list[float], settings: Any) -> None:
    settings.WS_LOCATION_RATE = 2
    limit = CommandLimit(A)
    for _ in range(200):
        limit.take_location()
    with pytest.raises(RateLimited, match="At most 20 positions a second") as caught:
        limit.take_location()
    assert caught.value.retry_after == pytest.approx(0.05)


def test_who_goes_on_and_on_is_flooding(clock: list[float], settings: Any) -> None:
    settings.WS_FLOOD_TOLERANCE = 3
    limit = CommandLimit(A)
    for _ in range(3):
        limit.refused()
    with pytest.raises(Flooding):
        limit.refused()
    clock[0] += 1
    limit.refused()
