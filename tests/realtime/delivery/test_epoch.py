"""The epoch changes whenever numbers may mean something else, on real servers; else clients would miss events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from common.redis import PREFIX, async_redis, close_async_redis
from devservers.patience import until_true
from devservers.servers import ValkeyServer
from realtime.delivery.history import Cursor
from tests.realtime.delivery.test_history import A, B, Store, delivery, redis_store


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[ValkeyServer]]:
    """Two servers, to be master and replica in turn."""
    with (
        ValkeyServer(tmp_path / "one", appendonly=False) as one,
        ValkeyServer(tmp_path / "other", appendonly=False) as other,
    ):
        yield [one, other]


@pytest.fixture
async def use(settings: Any) -> AsyncIterator[Any]:
    """Let the process use another server from now on."""

    async def switch(server: ValkeyServer) -> Store:
        await close_async_redis()
        settings.REDIS_URL = server.url
        return redis_store(server.url)

    yield switch
    await close_async_redis()


def follow(replica: ValkeyServer, master: ValkeyServer) -> None:
    """Make one server the replica of the other, and wait until it has all of its data."""
    with redis.Redis.from_url(master.url) as client:
        client.config_set("repl-diskless-sync-delay", 0)  # it would wait 5 s for further replicas
    with redis.Redis.from_url(replica.url) as client:
        client.replicaof("127.0.0.1", str(master.port))
        until_true(lambda: client.info("replication").get("master_link_status") == "up")


def promote(server: ValkeyServer) -> None:
    client = redis.Redis.from_url(server.url)
    client.replicaof("NO", "ONE")
    client.close()


async def resumed(store: Store, cursor: Cursor) -> list[int] | None:
    """Return the numbers that a client with this cursor would get; None where it gets the state."""
    missed = (await store.read(A, cursor)).missed
    return None if missed is None else [item.seq for item in missed]


async def cursor_of(store: Store) -> Cursor:
    reading = await store.read(A)
    return Cursor(reading.epoch, reading.head)


async def deliver(store: Store, *numbers: int) -> None:
    await store.deliver([delivery(f"e{n}") for n in numbers])


@pytest.mark.parametrize("writes", [True, False])
async def test_a_failover_and_back_is_another_epoch(servers: list[ValkeyServer], use: Any, writes: bool) -> None:
    """The first master comes back with the data of the second, which had missed its last notifications."""
    one, other = servers
    store = await use(one)
    await deliver(store, 1)
    await asyncio.to_thread(follow, other, one)
    await asyncio.to_thread(promote, other)  # from here on it misses what the first one gets
    await deliver(store, 2, 3, 4)
    seen = await cursor_of(store)
    assert seen.seq == 4
    if writes:
        await deliver(await use(other), 12)
    await asyncio.to_thread(follow, one, other)
    await asyncio.to_thread(promote, one)
    store = await use(one)
    await deliver(store, 13, 14, 15, 16, 17)
    assert await resumed(store, seen) is None
    assert await resumed(store, await cursor_of(store)) == []


async def test_a_replica_that_takes_over_begins_an_epoch(servers: list[ValkeyServer], use: Any) -> None:
    one, other = servers
    store = await use(one)
    await deliver(store, 1, 2)
    await asyncio.to_thread(follow, other, one)
    seen = await cursor_of(store)
    await asyncio.to_thread(promote, other)
    store = await use(other)
    await deliver(store, 3)
    assert await resumed(store, seen) is None


async def test_a_restart_begins_an_epoch(tmp_path: Path, use: Any) -> None:
    """Also with all data: the last second of it may be lost."""
    with ValkeyServer(tmp_path) as server:
        store = await use(server)
        await deliver(store, 1, 2)
        seen = await cursor_of(store)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        assert (await store.read(A)).head == 2
        assert await resumed(store, seen) is None


@pytest.mark.parametrize("lost", [f"head:{A}", "generation", "numbered"])
async def test_a_lost_key_begins_an_epoch(redis_url: str, lost: str) -> None:
    """An eviction policy may take any key; a counter that begins again must not pass for the one before."""
    store = redis_store(redis_url)
    await deliver(store, *range(1, 9))
    await store.deliver([delivery("b", B)])
    seen = Cursor((await store.read(A)).epoch, 5)
    assert await resumed(store, seen) == [6, 7, 8]
    assert await async_redis().delete(f"{PREFIX}{lost}")
    await deliver(store, *range(11, 19))
    assert await resumed(store, seen) is None
    now = await cursor_of(store)
    await deliver(store, 20)
    assert await resumed(store, now) == [now.seq + 1]


async def test_what_is_not_lost_changes_nothing(redis_url: str) -> None:
    """New users, repetitions, and more than a day of ids are of the same epoch."""
    store = redis_store(redis_url)
    await deliver(store, 1)
    epoch = (await store.read(A)).epoch
    await deliver(store, 1, 2)
    await store.deliver([delivery("b", B)])
    for key in await async_redis().keys(f"{PREFIX}ids:*"):
        await async_redis().delete(key)
    await deliver(store, 3)
    assert (await store.read(A)).epoch == (await store.read(B)).epoch == epoch


async def test_lost_frames_are_replaced_by_the_state(redis_url: str) -> None:
    """The list of frames may be evicted too; then what was missed is not all there."""
    store = redis_store(redis_url)
    await deliver(store, 1, 2, 3)
    seen = Cursor((await store.read(A)).epoch, 1)
    await async_redis().delete(f"{PREFIX}frames:{A}")
    await deliver(store, 4)
    assert await resumed(store, seen) is None
    assert await resumed(store, Cursor(seen.epoch, 3)) == [4]
