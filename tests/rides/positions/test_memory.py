"""The contract of every position store, run over the one of the embedded default."""

from uuid import UUID

import pytest

from rides.geo import GeoPoint
from rides.positions.base import PositionStore
from rides.positions.memory import MemoryPositions
from tests.cast import MONAS, north_of

A, B, C = (UUID(int=n) for n in (1, 2, 3))


@pytest.fixture(params=[MemoryPositions])
def store(request: pytest.FixtureRequest) -> PositionStore:
    """An empty store."""
    store: PositionStore = request.param()
    return store


def test_the_last_position_is_remembered(store: PositionStore) -> None:
    assert store.last(A) is None
    store.report(A, MONAS, 10.0, driver=False)
    store.report(A, north_of(MONAS, 5), 11.0, driver=False)
    last = store.last(A)
    assert last is not None
    assert (last.point, last.received_at, last.online) == (north_of(MONAS, 5), 11.0, False)


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


def test_the_search_reaches_over_the_date_line_and_the_poles(store: PositionStore) -> None:
    store.report(A, GeoPoint(0, 179.99), 10.0, driver=True)
    store.report(B, GeoPoint(89.99, 0), 10.0, driver=True)
    assert [p.user_id for _, p in store.drivers_near(GeoPoint(0, -179.99), 3.0, received_after=0)] == [A]
    assert [p.user_id for _, p in store.drivers_near(GeoPoint(89.99, 180), 3.0, received_after=0)] == [B]


def test_only_the_end_of_the_newest_connection_makes_a_user_offline(store: PositionStore) -> None:
    store.report(A, MONAS, 10.0, driver=True)
    store.connected(A, 1)
    store.connected(A, 2)
    store.disconnected(A, 1)
    assert store.drivers_near(MONAS, 1, received_after=0)[0][1].online
    store.disconnected(A, 2)
    assert not store.drivers_near(MONAS, 1, received_after=0)[0][1].online


def test_those_who_left_long_ago_are_forgotten(store: PositionStore) -> None:
    store.report(A, MONAS, 10.0, driver=True)
    store.report(B, MONAS, 10.0, driver=True)
    store.connected(B, 1)
    assert store.forget(received_before=11) == 1
    assert store.last(A) is None
    assert [p.user_id for _, p in store.drivers_near(MONAS, 1, received_after=0)] == [B]
