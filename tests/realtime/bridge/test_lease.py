"""The lease, on a real Valkey."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from common.background_tasks import end
from common.redis import AWAY, async_redis, close_async_redis
from devservers.process import free_port
from devservers.servers import ValkeyServer
from realtime.bridge.lease import KEY, Lease, LeaseLost
from tests.patience import until


@pytest.fixture(autouse=True)
def _long_enough(settings: Any) -> None:
    settings.BRIDGE_LEASE = timedelta(minutes=1)


async def holder() -> str | None:
    token = await async_redis().get(KEY)
    return token.decode() if isinstance(token, bytes) else None


async def lives() -> int:
    """Return for how many milliseconds the lease holds."""
    return int(await async_redis().pttl(KEY))


@pytest.mark.usefixtures("redis_url")
async def test_one_has_it_and_no_other() -> None:
    first, second = Lease(), Lease()
    assert first.token != second.token
    assert await first.try_take()
    assert not await second.try_take()
    assert await holder() == first.token
    assert 0 < await lives() <= 60_000


@pytest.mark.usefixtures("redis_url")
async def test_of_many_who_ask_at_once_one_gets_it() -> None:
    leases = [Lease() for _ in range(20)]
    assert sorted(await asyncio.gather(*(lease.try_take() for lease in leases))) == [False] * 19 + [True]


@pytest.mark.usefixtures("redis_url")
async def test_who_asks_again_has_it_for_longer() -> None:
    lease = Lease()
    assert await lease.try_take()
    await async_redis().pexpire(KEY, 10_000)
    assert await lease.try_take()
    assert await lives() > 10_000


@pytest.mark.usefixtures("redis_url")
async def test_who_lets_it_go_makes_room_at_once_and_others_cannot_do_that_for_him() -> None:
    first, second = Lease(), Lease()
    assert await first.try_take()
    await second.release()
    assert not await second.try_take()
    await first.release()
    await first.release()
    assert await second.try_take()
    await first.release()
    assert await holder() == second.token


@pytest.mark.usefixtures("redis_url")
async def test_after_its_time_another_gets_it_and_the_first_has_lost(settings: Any) -> None:
    settings.BRIDGE_LEASE = timedelta(milliseconds=1)
    first = Lease()
    assert await first.try_take()
    settings.BRIDGE_LEASE = timedelta(minutes=1)
    second = Lease()
    await until(second.try_take)
    assert not await first.try_take()


@pytest.mark.usefixtures("redis_url")
async def test_when_redis_was_emptied_the_holder_takes_it_again_or_another_does() -> None:
    first, second = Lease(), Lease()
    assert await first.try_take()
    await async_redis().flushall()
    assert await first.try_take()
    assert not await second.try_take()
    await async_redis().flushall()
    assert await second.try_take()
    assert not await first.try_take()


@pytest.mark.usefixtures("redis_url")
async def test_who_stands_by_says_so_once_and_gets_it_when_it_is_free(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = Lease()
    assert await first.try_take()
    settings.BRIDGE_LEASE = timedelta(milliseconds=60)
    second = Lease()
    standing_by = asyncio.create_task(second.wait_for())
    await until(lambda: "Standing by: another bridge is active." in caplog.text)
    assert not standing_by.done()
    await first.release()
    await standing_by
    assert await holder() == second.token
    assert caplog.text.count("Standing by") == 1


@pytest.mark.usefixtures("redis_url")
async def test_it_is_kept_as_long_as_it_is_renewed(settings: Any) -> None:
    settings.BRIDGE_LEASE = timedelta(seconds=1)
    lease = Lease()
    assert await lease.try_take()
    keeping = asyncio.create_task(lease.keep())
    for _ in range(3):
        await async_redis().pexpire(KEY, 500)
        await until(_lives_longer_than_500)
    assert not keeping.done()
    await end(keeping)


async def _lives_longer_than_500() -> bool:
    return await lives() > 500


@pytest.mark.usefixtures("redis_url")
async def test_who_keeps_it_hears_that_another_has_it(settings: Any) -> None:
    settings.BRIDGE_LEASE = timedelta(milliseconds=40)
    lease = Lease()
    await async_redis().set(KEY, "another")
    with pytest.raises(LeaseLost, match="another bridge has taken over"):
        await lease.keep()
    assert await holder() == "another"


async def test_while_redis_is_away_it_is_held_and_then_renewed(
    tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with ValkeyServer(tmp_path, appendonly=False) as valkey:
        settings.REDIS_URL = valkey.url
        settings.BRIDGE_LEASE = timedelta(milliseconds=200)
        lease = Lease()
        assert await lease.try_take()
        keeping = asyncio.create_task(lease.keep())
        valkey.kill()
        await until(lambda: "The lease could not be renewed" in caplog.text)
        assert not keeping.done()
        valkey.start()  # empty
        await until(_is_held)
        assert await holder() == lease.token
        await end(keeping)
        await close_async_redis()


async def _is_held() -> bool:
    try:
        return await holder() is not None
    except AWAY:
        return False


async def test_where_redis_cannot_be_reached_the_first_attempt_is_as_patient_as_the_others(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    settings.BRIDGE_LEASE = timedelta(milliseconds=60)
    caplog.set_level(logging.INFO)
    lease = Lease()
    with pytest.raises(AWAY):
        await lease.try_take()
    standing_by = asyncio.create_task(lease.wait_for())
    await until(lambda: "Redis is unreachable, retrying" in caplog.text)
    assert not standing_by.done()
    await end(standing_by)
    await lease.release()
    assert "The lease was not released and ends by itself" in caplog.text
    await close_async_redis()
