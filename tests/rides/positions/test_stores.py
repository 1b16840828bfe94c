"""The contract of every position store, run over that of one process and that of many."""

from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings

from common.redis import AWAY, sync_redis
from rides.geo import GeoPoint, distance_km
from rides.positions.base import PositionStore, reported_at
from rides.positions.memory import MemoryPositions
from rides.positions.redis import RedisPositions
from tests.cast import MONAS, north_of
from users.presence import Presence, presence

A, B, C = (UUID(int=n) for n in (1, 2, 3))


@pytest.fixture(params=[MemoryPositions, RedisPositions])
def store(request: pytest.FixtureRequest) -> PositionStore:
    """An empty store."""
    if request.param is RedisPositions:
        request.getfixturevalue("redis_url")
        request.getfixturevalue("settings").BACKENDS = settings.DISTRIBUTED_BACKENDS
    store: PositionStore = request.param()
    return store


SESSIONS = count(1)


def connect(user_id: UUID) -> Presence:
    """Let somebody be connected."""
    made = Presence(connection_id=uuid4(), user_id=user_id, role="driver", session=next(SESSIONS))
    presence().note([made])
    return made


def disconnect(connection: Presence) -> None:
    """End a connection."""
    async_to_sync(presence().release)(connection)


def test_the_last_position_is_remembered(store: PositionStore) -> None:
    assert store.last(A) is None
    store.report(A, reported_at(MONAS, 10.0), 10.0, driver=False)
    store.report(A, reported_at(north_of(MONAS, 5), 11.0), 11.0, driver=False)
    last = store.last(A)
    assert last is not None
    assert (last.point, last.received_at, last.online) == (north_of(MONAS, 5), 11.0, False)


def test_the_last_positions_of_many_are_read_at_once(store: PositionStore) -> None:
    store.report(A, reported_at(MONAS, 10.0), 10.0, driver=True)
    store.report(B, reported_at(north_of(MONAS, 5), 11.0), 11.0, driver=False)
    connect(B)
    found = store.last_of([A, B, C])
    assert {user_id: (last.point, last.received_at, last.online) for user_id, last in found.items()} == {
        A: (MONAS, 10.0, False),
        B: (north_of(MONAS, 5), 11.0, True),
    }
    assert store.last_of([]) == {}


def test_drivers_are_found_nearest_first_within_the_radius(store: PositionStore) -> None:
    store.report(A, reported_at(north_of(MONAS, 2000), 10.0), 10.0, driver=True)
    store.report(B, reported_at(north_of(MONAS, 1000), 10.0), 10.0, driver=True)
    store.report(C, reported_at(north_of(MONAS, 3001), 10.0), 10.0, driver=True)
    found = store.drivers_near(MONAS, 3.0, made_after=0, most=100)
    assert [position.user_id for _, position in found] == [B, A]
    assert found[0][0] == pytest.approx(1.0, abs=1e-4)


def test_passengers_and_old_positions_are_not_found(store: PositionStore) -> None:
    store.report(A, reported_at(MONAS, 10.0), 10.0, driver=False)
    store.report(B, reported_at(MONAS, 9.0), 9.0, driver=True)
    assert store.drivers_near(MONAS, 3.0, made_after=9.5, most=100) == []


@pytest.mark.parametrize("most", [1, 5, 20, 100])
def test_as_many_as_are_wanted_are_the_nearest(store: PositionStore, most: int) -> None:
    """Those with old positions do not take the places of others, and each circle gives the same as all of them."""
    drivers = [uuid4() for _ in range(60)]
    for n, driver in enumerate(drivers):
        at = 10.0 if n % 3 else 5.0
        store.report(driver, reported_at(north_of(MONAS, 50 * (n * 7 % 60)), at), at, driver=True)
    fresh = [driver for n, driver in sorted((n * 7 % 60, d) for n, d in enumerate(drivers) if n % 3)]
    found = store.drivers_near(MONAS, 2.5, made_after=9.0, most=most)
    assert [place.user_id for _, place in found] == [d for d in fresh if distance_of(store, d) <= 2.5][:most]


def distance_of(store: PositionStore, user_id: UUID) -> float:
    place = store.last(user_id)
    assert place is not None
    return distance_km(MONAS, place.point)


def test_a_driver_who_moves_is_found_in_one_place(store: PositionStore) -> None:
    """From cell to cell, and back."""
    for metres in (0, 900, 2500, 0):
        store.report(A, reported_at(north_of(MONAS, metres), 10.0), 10.0, driver=True)
        found = store.drivers_near(MONAS, 3.0, made_after=0, most=100)
        assert [(round(km * 1000), place.user_id) for km, place in found] == [(metres, A)]


def test_the_search_reaches_over_the_date_line(store: PositionStore) -> None:
    store.report(A, reported_at(GeoPoint(0, 179.99), 10.0), 10.0, driver=True)
    assert [p.user_id for _, p in store.drivers_near(GeoPoint(0, -179.99), 3.0, made_after=0, most=100)] == [A]


def test_a_place_near_the_pole_is_kept_as_it_is(store: PositionStore) -> None:
    store.report(A, reported_at(GeoPoint(89.99, 106.8), 10.0), 10.0, driver=True)
    last = store.last(A)
    assert last is not None
    assert last.point == GeoPoint(89.99, 106.8)
    assert [p.user_id for _, p in store.drivers_near(GeoPoint(89.98, 106.8), 3.0, made_after=0, most=100)] == [A]


def test_connected_drivers_are_online(store: PositionStore) -> None:
    """Whether a driver is online is what the store of connections says."""
    store.report(A, reported_at(MONAS, 10.0), 10.0, driver=True)
    assert not store.drivers_near(MONAS, 1, made_after=0, most=100)[0][1].online
    connection = connect(A)
    assert store.drivers_near(MONAS, 1, made_after=0, most=100)[0][1].online
    disconnect(connection)
    assert not store.drivers_near(MONAS, 1, made_after=0, most=100)[0][1].online


@pytest.mark.parametrize("latitude", [86, 89, 89.999, 90, -88, -90])
def test_drivers_at_poles_are_found(store: PositionStore, latitude: float) -> None:
    """Beyond the index of Redis, and over a pole, distance decides, not longitude."""
    store.report(A, reported_at(GeoPoint(latitude, -179.9999), 10.0), 10.0, driver=True)
    store.report(B, reported_at(GeoPoint(latitude - 1 if latitude > 0 else latitude + 1, 0), 10.0), 10.0, driver=True)
    across = 179.9999 if abs(latitude) < 89.9 else 0.0
    assert [p.user_id for _, p in store.drivers_near(GeoPoint(latitude, across), 3.0, made_after=0, most=100)] == [A]


def test_drivers_come_back_from_a_pole(store: PositionStore) -> None:
    """A driver is found where they are now, whichever index they were on before."""
    for place in (GeoPoint(89, 10), MONAS, GeoPoint(-89, 10), MONAS):
        store.report(A, reported_at(place, 10.0), 10.0, driver=True)
        assert [p.user_id for _, p in store.drivers_near(place, 1, made_after=0, most=100)] == [A]
    assert store.drivers_near(GeoPoint(89, 10), 1, made_after=0, most=100) == []


def test_those_who_were_heard_long_ago_are_forgotten(store: PositionStore) -> None:
    store.report(A, reported_at(MONAS, 10.0), 10.0, driver=True)
    store.report(B, reported_at(MONAS, 11.0), 11.0, driver=True)
    store.flush()
    assert store.forget(received_before=11) == 1
    assert [p.user_id for _, p in store.drivers_near(MONAS, 1, made_after=0, most=100)] == [B]


@pytest.mark.usefixtures("redis_url")
def test_processes_see_what_was_flushed(settings: Any) -> None:
    one, other = RedisPositions(), RedisPositions()
    one.report(A, reported_at(MONAS, 10.0), 10.0, driver=True)
    assert other.last(A) is None
    one.flush()
    seen = other.last(A)
    assert seen is not None
    assert (seen.point, seen.received_at) == (MONAS, 10.0)


@pytest.mark.usefixtures("redis_url")
def test_while_redis_is_away_nothing_is_forgotten(settings: Any) -> None:
    url = settings.REDIS_URL
    store = RedisPositions()
    store.report(A, reported_at(MONAS, 10.0), 10.0, driver=True)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    sync_redis.cache_clear()
    for _ in range(2):
        with pytest.raises(AWAY):
            store.flush()
    store.report(A, reported_at(north_of(MONAS, 5), 11.0), 11.0, driver=True)
    settings.REDIS_URL = url
    sync_redis.cache_clear()
    last = store.last(A)
    assert last is not None
    assert last.point == north_of(MONAS, 5)


@pytest.mark.parametrize("latitude", [MONAS.latitude, 89])
def test_a_position_is_erased(store: PositionStore, latitude: float) -> None:
    """Of one person, flushed or not, also at a pole."""
    place = GeoPoint(latitude, 10)
    store.report(A, reported_at(place, 10.0), 10.0, driver=True)
    store.report(B, reported_at(place, 10.0), 10.0, driver=True)
    store.flush()
    store.report(A, reported_at(place, 11.0), 11.0, driver=True)
    store.erase(A)
    store.flush()
    assert store.last(A) is None
    assert [position.user_id for _, position in store.drivers_near(place, 1, 0, 100)] == [B]


@pytest.mark.usefixtures("redis_url")
def test_the_first_report_of_a_batch_wakes() -> None:
    """Others may have none to flush for hours; nobody looks meanwhile."""
    store, woken = RedisPositions(), []
    store.listen(lambda: woken.append(1))
    for _ in range(2):
        store.report(A, reported_at(MONAS, 10.0), 10.0, driver=False)
        store.report(B, reported_at(MONAS, 10.0), 10.0, driver=False)
        store.flush()
    assert len(woken) == 2
    store.listen(None)
    store.report(A, reported_at(MONAS, 10.0), 10.0, driver=False)
    assert len(woken) == 2
