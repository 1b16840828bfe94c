"""The contract of every position store, run over that of one process and that of many."""

from typing import Any
from uuid import UUID

import pytest

from common.redis import AWAY, sync_redis
from rides.geo import GeoPoint
from rides.positions.base import PositionStore
from rides.positions.memory import MemoryPositions
from rides.positions.redis import RedisPositions
from tests.cast import MONAS, north_of

A, B, C = (UUID(int=n) for n in (1, 2, 3))


@pytest.fixture(params=[MemoryPositions, RedisPositions])
def store(request: pytest.FixtureRequest) -> PositionStore:
    """An empty store."""
    if request.param is RedisPositions:
        request.getfixturevalue("redis_url")
    store: PositionStore = request.param()
    return store


def test_the_last_position_is_remembered(store: PositionStore) -> None:
    assert store.last(A) is None
    store.report(A, MONAS, 10.0, driver=False)
    store.report(A, north_of(MONAS, 5), 11.0, driver=False)
    last = store.last(A)
    assert last is not None
    assert (last.point, last.received_at, last.online) == (north_of(MONAS, 5), 11.0, False)


def test_the_last_positions_of_many_are_read_at_once(store: PositionStore) -> None:
    store.report(A, MONAS, 10.0, driver=True)
    store.report(B, north_of(MONAS, 5), 11.0, driver=False)
    store.connected(B, 1)
    found = store.last_of([A, B, C])
    assert {user_id: (last.point, last.received_at, last.online) for user_id, last in found.items()} == {
        A: (MONAS, 10.0, False),
        B: (north_of(MONAS, 5), 11.0, True),
    }
    assert store.last_of([]) == {}


def test_drivers_are_found_nearest_first_within_the_radius(store: PositionStore) -> None:
    store.report(A, north_of(MONAS, 2000), 10.0, driver=True)
    store.report(B, north_of(MONAS, 1000), 10.0, driver=True)
    store.report(C, north_of(MONAS, 3001), 10.0, driver=True)
    found = store.drivers_near(MONAS, 3.0, received_after=0)
    assert [position.user_id for _, position in found] == [B, A]
    assert found[0][0] == pytest.approx(1.0, abs=1e-4)


def test_passengers_and_old_positions_are_not_found(store: PositionStore) -> None:
    store.report(A, MONAS, 10.0, driver=False)
    store.report(B, MONAS, 9.0, driver=True)
    assert store.drivers_near(MONAS, 3.0, received_after=9.5) == []


def test_the_search_reaches_over_the_date_line(store: PositionStore) -> None:
    store.report(A, GeoPoint(0, 179.99), 10.0, driver=True)
    assert [p.user_id for _, p in store.drivers_near(GeoPoint(0, -179.99), 3.0, received_after=0)] == [A]


def test_a_place_near_the_pole_is_kept_as_it_is(store: PositionStore) -> None:
    store.report(A, GeoPoint(89.99, 106.8), 10.0, driver=True)
    last = store.last(A)
    assert last is not None
    assert last.point == GeoPoint(89.99, 106.8)
    assert [p.user_id for _, p in store.drivers_near(GeoPoint(89.98, 106.8), 3.0, received_after=0)] == [A]


def test_only_the_end_of_the_newest_connection_makes_a_user_offline(store: PositionStore) -> None:
    store.report(A, MONAS, 10.0, driver=True)
    store.connected(A, 1)
    store.connected(A, 2)
    store.disconnected(A, 1)
    assert store.drivers_near(MONAS, 1, received_after=0)[0][1].online
    store.disconnected(A, 2)
    assert not store.drivers_near(MONAS, 1, received_after=0)[0][1].online


def test_those_who_were_heard_long_ago_are_forgotten(store: PositionStore) -> None:
    store.report(A, MONAS, 10.0, driver=True)
    store.report(B, MONAS, 11.0, driver=True)
    store.settle()
    assert store.forget(received_before=11) == 1
    assert [p.user_id for _, p in store.drivers_near(MONAS, 1, received_after=0)] == [B]


def test_who_is_still_connected_stays_so(store: PositionStore) -> None:
    store.report(A, MONAS, 10.0, driver=True)
    store.connected(A, 5)
    store.keep_online({A: 5, B: 1})
    store.keep_online({A: 4})  # of an older connection, which has not heard that it was replaced
    store.disconnected(A, 4)
    assert store.drivers_near(MONAS, 1, received_after=0)[0][1].online
    store.keep_online({})
    store.disconnected(A, 5)
    assert not store.drivers_near(MONAS, 1, received_after=0)[0][1].online


@pytest.mark.usefixtures("redis_url")
def test_processes_see_what_was_settled(settings: Any) -> None:
    one, other = RedisPositions(), RedisPositions()
    one.report(A, MONAS, 10.0, driver=True)
    one.connected(A, 1)
    assert other.last(A) is None
    one.settle()
    seen = other.last(A)
    assert seen is not None
    assert (seen.point, seen.received_at, seen.online) == (MONAS, 10.0, True)


@pytest.mark.usefixtures("redis_url")
def test_a_process_that_died_leaves_nobody_online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rides.positions.redis.ONLINE_TTL", 0.001)
    store = RedisPositions()
    store.report(A, MONAS, 10.0, driver=True)
    store.connected(A, 1)
    while store.drivers_near(MONAS, 1, received_after=0)[0][1].online:
        pass


@pytest.mark.usefixtures("redis_url")
def test_while_redis_is_away_nothing_is_forgotten(settings: Any) -> None:
    url = settings.REDIS_URL
    store = RedisPositions()
    store.report(A, MONAS, 10.0, driver=True)
    store.connected(A, 1)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    sync_redis.cache_clear()
    for _ in range(2):
        with pytest.raises(AWAY):
            store.settle()
    store.report(A, north_of(MONAS, 5), 11.0, driver=True)
    settings.REDIS_URL = url
    sync_redis.cache_clear()
    last = store.last(A)
    assert last is not None
    assert (last.point, last.online) == (north_of(MONAS, 5), True)
