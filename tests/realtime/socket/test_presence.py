"""The contract of every presence store, run over that of one process and that of many; then what is special of each."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import redis

from common.redis import PREFIX, sync_redis
from realtime.socket import presence as module
from realtime.socket.presence import (
    REFRESH,
    TTL,
    MemoryPresence,
    Presence,
    PresenceStore,
    RedisPresence,
    heard_at,
    presence_of,
)

A, B = UUID(int=1), UUID(int=2)


@pytest.fixture(params=[MemoryPresence, RedisPresence])
def store(request: pytest.FixtureRequest) -> PresenceStore:
    """An empty store."""
    if request.param is RedisPresence:
        request.getfixturevalue("redis_url")
    made: PresenceStore = request.param()
    return made


def connection(number: int, **changes: Any) -> Presence:
    """A driver's connection that began just now."""
    one = presence_of(UUID(int=number), A, "driver", {"address": "198.51.100.7"})
    for name, value in changes.items():
        setattr(one, name, value)
    return one


def numbers(store: PresenceStore) -> list[int]:
    return sorted(one.connection_id.int for one in store.everyone())


def test_nobody_is_there_at_first(store: PresenceStore) -> None:
    store.settle()
    assert store.everyone() == []


def test_whoever_is_noted_is_there_with_all_that_is_known_of_him(store: PresenceStore) -> None:
    one = connection(1)
    store.note([one])
    assert store.everyone() == [one]
    assert (one.user_id, one.role, one.address, one.process) == (A, "driver", "198.51.100.7", module.PROCESS)
    assert one.since == one.heard == one.noted


def test_whoever_is_noted_again_is_there_once_as_he_is_now(store: PresenceStore) -> None:
    one = connection(1)
    store.note([one, connection(2)])
    store.settle()
    one.heard += 5
    store.note([one])
    assert numbers(store) == [1, 2]
    assert one in store.everyone()


def test_whoever_has_left_is_gone(store: PresenceStore) -> None:
    store.note([connection(1), connection(2)])
    store.settle()
    store.forget(UUID(int=1))
    store.forget(UUID(int=3))
    assert numbers(store) == [2]


def test_of_two_connections_of_a_user_each_is_one(store: PresenceStore) -> None:
    store.note([connection(1), connection(2)])
    store.forget(UUID(int=2))
    assert numbers(store) == [1]


def test_a_connection_is_stale_when_it_was_silent_for_longer_than_the_read_timeout(settings: Any) -> None:
    settings.WS_READ_TIMEOUT = timedelta(seconds=60)
    one = connection(1)
    assert not one.is_stale
    one.noted = one.heard + 60.5
    assert one.is_stale


def test_the_server_says_for_how_long_a_client_was_silent() -> None:
    assert heard_at({"state": {"silence": lambda: 3.0}}, 100.0) == 97.0
    assert heard_at({}, 100.0) == 100.0


@pytest.mark.usefixtures("redis_url")
def test_in_redis_the_connections_of_all_processes_are_there() -> None:
    one, other = RedisPresence("one"), RedisPresence("other")
    one.note([connection(1)])
    one.settle()
    other.note([connection(2)])
    assert numbers(other) == [1, 2]
    assert numbers(one) == [1, 2]


@pytest.mark.usefixtures("redis_url")
def test_in_redis_a_process_that_died_leaves_no_ghosts(settings: Any) -> None:
    settings.WS_HEARTBEAT = timedelta(seconds=2)
    dead, other = RedisPresence("dead"), RedisPresence("other")
    dead.note([connection(1)])
    dead.settle()
    other.note([connection(2)])
    assert 0 < sync_redis().pttl(f"{PREFIX}presence:dead") <= TTL * 1000
    sync_redis().delete(f"{PREFIX}presence:dead")  # as its time is over
    assert numbers(other) == [2]


@pytest.mark.usefixtures("redis_url")
def test_in_redis_the_heartbeat_of_a_process_keeps_all_its_connections() -> None:
    store = RedisPresence("one")
    store.note([connection(1)])
    store.settle()
    sync_redis().pexpire(f"{PREFIX}presence:one", 60_000)
    store.note([])
    store.settle()
    assert sync_redis().pttl(f"{PREFIX}presence:one") <= TTL * 1000
    assert numbers(store) == [1]


@pytest.mark.usefixtures("redis_url")
def test_in_redis_what_was_not_noted_again_for_long_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    store = RedisPresence("one")
    store.note([connection(1, noted=connection(1).noted - REFRESH - 3 * TTL), connection(2)])
    assert numbers(store) == [2]


def test_in_redis_what_could_not_be_written_is_written_later(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RedisPresence("one")
    store.note([connection(1), connection(2)])

    def away() -> Any:
        raise redis.ConnectionError("away")

    with monkeypatch.context() as patch:
        patch.setattr(module, "sync_redis", away)
        with pytest.raises(redis.ConnectionError):
            store.settle()
        store.forget(UUID(int=1))
        with pytest.raises(redis.ConnectionError):
            store.settle()
    assert numbers(store) == [2]
