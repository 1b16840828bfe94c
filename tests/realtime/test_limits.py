from typing import Any
from uuid import UUID

import pytest

from nebengjek.errors import RateLimited
from realtime.limits import CommandLimit, CostlyBuckets, TokenBucket

A, B = UUID(int=1), UUID(int=2)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still; its only element is the time."""
    now = [1000.0]
    monkeypatch.setattr("realtime.limits.time.monotonic", lambda: now[0])
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


def test_commands_are_limited_by_connection(clock: list[float], settings: Any) -> None:
    settings.WS_COMMAND_RATE, settings.WS_COMMAND_BURST = 10, 2
    limit, other = CommandLimit(A), CommandLimit(A)
    limit.take(costly=False)
    limit.take(costly=False)
    with pytest.raises(RateLimited, match="At most 10 commands a second, and 2 at once") as caught:
        limit.take(costly=False)
    assert caught.value.retry_after == pytest.approx(0.1)
    other.take(costly=False)


def test_what_costs_is_limited_by_user_over_all_connections(clock: list[float], settings: Any) -> None:
    settings.WS_COSTLY_RATE = 2
    CommandLimit(A).take(costly=True)
    CommandLimit(A).take(costly=True)
    with pytest.raises(RateLimited, match="At most 2 of these commands a minute"):
        CommandLimit(A).take(costly=True)
    CommandLimit(A).take(costly=False)
    CommandLimit(B).take(costly=True)


def test_those_who_have_rested_are_forgotten(clock: list[float], settings: Any) -> None:
    settings.WS_COSTLY_RATE = 60
    buckets = CostlyBuckets()
    buckets.take(A)
    buckets.purge()
    assert list(buckets._buckets) == [A]
    clock[0] += 2
    buckets.purge()
    assert not buckets._buckets
