"""The parts of the work, and how several processes share them."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
import redis

from common.background_tasks import end
from common.redis import sync_redis
from common.roll import KEY, present
from realtime.bridge import parts as module
from realtime.bridge.lease import LeaseLost
from realtime.bridge.parts import Part, Share, parts
from tests.patience import until, within


def test_with_one_shard_there_is_one_part() -> None:
    """The bridge as it always was."""
    assert parts() == [Part(shard=0, delivers=True, relays=True)]


def test_with_several_each_shard_is_one_and_so_is_the_relay(two_shards: None) -> None:
    everything = parts()
    assert [part.shard for part in everything if part.delivers] == [0, 1]
    assert [part for part in everything if part.relays] == [Part(shard=0, delivers=False)]
    leases = [part.lease(lambda: True) for part in everything]
    assert len({(lease.key, lease.shard) for lease in leases}) == 3


def counted(monkeypatch: pytest.MonkeyPatch, *counts: int | Exception) -> Callable[[int], Awaitable[None]]:
    """Let so many bridge processes be there, one count after the other; return what waits for the nth."""
    asked = 0

    async def present(kind: str) -> int:
        nonlocal asked
        found = counts[min(asked, len(counts) - 1)]
        asked += 1
        if isinstance(found, Exception):
            raise found
        return found

    async def times(number: int) -> None:
        async def enough() -> bool:
            return asked >= number

        await until(enough)

    monkeypatch.setattr(module, "present", present)
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    return times


async def test_a_process_takes_no_more_than_its_share(two_shards: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three parts: all, then two beside another process, then one of three, and all while nobody can count."""
    times = counted(monkeypatch, 1, 2, 3, redis.ConnectionError("gone"))
    share = Share()
    limits = [share.limit]
    counting = asyncio.create_task(share.run())
    for number in (2, 3, 4, 5):  # one that follows has set what came before
        await times(number)
        limits.append(share.limit)
    await end(counting)
    assert limits[0] == limits[-1] == 3
    assert {*limits} <= {1, 2, 3}
    share.limit = 2
    share.held = [Part(0, relays=False)]
    assert share.has_room()
    share.held.append(Part(1, relays=False))
    assert not share.has_room()


async def test_the_newest_of_too_many_goes(two_shards: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    share = Share()
    share.held = parts()
    keeping = [asyncio.create_task(share.keep(part)) for part in share.held]
    share.limit = 2
    async with within():
        done, _ = await asyncio.wait(keeping, return_when=asyncio.FIRST_COMPLETED)
    assert done == {keeping[2]}
    with pytest.raises(LeaseLost):
        keeping[2].result()
    await end(*keeping[:2])


async def test_silent_processes_have_no_share(redis_url: str) -> None:
    """Those that were killed leave their parts to the others."""
    now = time.time()
    said = {"bridge a:1": now, "bridge b:2": now - 10, "web c:3": now}
    sync_redis().zadd(KEY, said)
    assert await present("bridge") == 1
