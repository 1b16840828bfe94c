"""The contract of every store of connections, run over that of one process and that of many."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.redis import AWAY, PREFIX, async_redis, sync_redis, sync_shard
from users.presence import Presence, PresenceStore
from users.presence.base import PROCESS, SHORTEST_TTL
from users.presence.memory import MemoryPresence
from users.presence.redis import PER_CALL, USERS, RedisPresence

A, B, C = (UUID(int=n) for n in (1, 2, 3))


@pytest.fixture(params=[MemoryPresence, RedisPresence])
def store(request: pytest.FixtureRequest) -> PresenceStore:
    """An empty store."""
    if request.param is RedisPresence:
        request.getfixturevalue("redis_url")
    made: PresenceStore = request.param()
    return made


def connection(user_id: UUID = A, **fields: Any) -> Presence:
    """A driver's connection that began just now."""
    return Presence(connection_id=uuid4(), user_id=user_id, role="driver", **fields)


async def taken(store: PresenceStore, user_id: UUID = A) -> Presence:
    """A connection that has its session."""
    made = connection(user_id)
    await store.take(made)
    return made


def everyone(store: PresenceStore) -> dict[UUID, int]:
    """The session of each connected user."""
    return {one.user_id: one.session for one in store.everyone()}


def test_nobody_is_connected_at_first(store: PresenceStore) -> None:
    """An empty store names nobody."""
    assert store.everyone() == []
    assert store.online([]) == set()
    assert store.online([A]) == set()


async def test_a_connection_is_kept_whole(store: PresenceStore) -> None:
    """Whatever is known of a connection can be read by other processes."""
    made = connection(address="198.51.100.7")
    await store.take(made)
    [kept] = store.everyone()
    assert kept == made
    assert (kept.process, kept.address, kept.role) == (PROCESS, "198.51.100.7", "driver")
    assert kept.since == kept.heard == kept.noted


async def test_sessions_grow_with_each_connection(store: PresenceStore) -> None:
    """Each connection has a larger session than all before, near the clock in microseconds."""
    sessions = [(await taken(store)).session for _ in range(100)]
    assert sessions == sorted(set(sessions))
    assert abs(sessions[0] - time.time_ns() // 1000) < 10**7
    assert everyone(store) == {A: sessions[-1]}


async def test_a_connection_knows_whether_there_was_another(store: PresenceStore) -> None:
    """Only the first has nobody to send away, and again the one after the last has ended."""
    first, second = connection(), connection()
    assert [await store.take(first), await store.take(second), await store.take(connection(B))] == [False, True, False]
    await store.release(first)
    third = connection()
    assert await store.take(third)
    await store.release(third)
    assert not await store.take(connection())


async def test_sessions_taken_at_once_differ(store: PresenceStore) -> None:
    """Of many connects at the same moment exactly one is the newest."""
    sessions = [one.session for one in await asyncio.gather(*(taken(store) for _ in range(50)))]
    assert len(set(sessions)) == 50
    assert everyone(store) == {A: max(sessions)}


async def test_a_session_outruns_a_clock(store: PresenceStore) -> None:
    """After a number from a clock that was ahead, the next one is larger all the same."""
    ahead = 2 * time.time_ns() // 1000
    store.note([connection(session=ahead)])
    assert (await taken(store)).session == ahead + 1


async def test_only_the_newest_leaves_a_trace(store: PresenceStore) -> None:
    """The end of an older connection changes nothing; that of the newest removes the record."""
    first, second = await taken(store), await taken(store)
    await store.release(first)
    assert store.online([A, B]) == {A}
    await store.release(second)
    await store.release(second)
    assert store.online([A, B]) == set()
    assert store.everyone() == []
    assert (await taken(store)).session > second.session


async def test_heartbeats_name_the_newest_session(store: PresenceStore) -> None:
    """A connection that was replaced learns it, and leaves the newer record alone."""
    first, other, second = await taken(store), await taken(store, B), await taken(store)
    assert await store.beat([first, other]) == [second.session, other.session]
    assert everyone(store) == {A: second.session, B: other.session}
    assert await store.beat([]) == []


async def test_heartbeats_bring_records_back(store: PresenceStore) -> None:
    """What the store lost is there again after the next heartbeat, with what was heard since."""
    made = connection(session=7)
    made.heard += 5
    assert await store.beat([made]) == [7]
    assert store.everyone() == [made]


async def test_thousands_are_noted(store: PresenceStore) -> None:
    """More connections than go into one call are all noted, each with its own session."""
    many = [connection(UUID(int=n + 10), session=n + 1) for n in range(PER_CALL + 5)]
    assert await store.beat(many) == [one.session for one in many]
    assert len(store.everyone()) == PER_CALL + 5


def test_silence_makes_a_connection_stale(settings: Any) -> None:
    """A connection is stale when it was silent for longer than the read time-out."""
    one = connection()
    assert not one.is_stale
    one.noted = one.heard + settings.WS_READ_TIMEOUT.total_seconds() + 0.5
    assert one.is_stale


@pytest.mark.usefixtures("redis_url")
async def test_processes_see_each_other() -> None:
    """What one process notes every other one reads."""
    one, other = RedisPresence(), RedisPresence()
    first, second = await taken(one), await taken(other, B)
    assert everyone(one) == everyone(other) == {A: first.session, B: second.session}
    newer = await taken(other)
    assert await one.beat([first]) == [newer.session]


@pytest.mark.usefixtures("redis_url")
async def test_dead_processes_leave_no_ghosts() -> None:
    """A record ends by itself when no heartbeat renews it, and the list of users forgets it."""
    store = RedisPresence()
    ghost, alive = await taken(store), await taken(store, B)
    key = f"{PREFIX}connection:{A}"
    assert 0 < sync_redis().pttl(key) <= SHORTEST_TTL * 1000
    sync_redis().delete(key)  # as its time is over
    assert everyone(store) == {B: alive.session}
    sync_redis().zadd(USERS, {str(A): 1.0})
    await store.beat([alive])
    assert sync_redis().zrange(USERS, 0, -1) == [str(B).encode()]
    assert store.online([A, B]) == {B}
    assert ghost.session < alive.session


async def test_connections_outlive_an_outage(redis_url: str, settings: Any) -> None:
    """While Redis is away a heartbeat fails; the first one after it writes everything again."""
    store = RedisPresence()
    made = await taken(store)
    await async_redis().flushall()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    sync_redis.cache_clear()
    with pytest.raises(AWAY):
        store.note([made])
    settings.REDIS_URL = redis_url
    sync_redis.cache_clear()
    assert store.everyone() == []
    assert await store.beat([made]) == [made.session]
    assert store.everyone() == [made]


async def test_connections_of_all_shards_are_seen(two_shards: None) -> None:
    """Each is on the server of its user, and all are noted, counted and found as on one."""
    store, people = RedisPresence(), [UUID(int=number) for number in range(1, 9)]
    made = [await taken(store, person) for person in people]
    counts: list[Any] = [sync_shard(shard).zcard(USERS) for shard in (0, 1)]
    assert sum(counts) == len(people)
    assert min(counts) > 0
    assert everyone(store) == {one.user_id: one.session for one in made}
    assert store.online(people) == set(people)
    newer = await taken(store, people[0])
    assert await store.beat(made) == [newer.session, *(one.session for one in made[1:])]
    for one in made[1:]:
        await store.release(one)
    assert everyone(store) == {people[0]: newer.session}
