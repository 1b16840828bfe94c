import asyncio
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import redis
from django.db import DatabaseError, connection
from django.utils import timezone

from common.clock import shared_clock, steady
from common.redis import sync_redis, sync_shard
from common.roll import KEY, Roll
from devservers.servers import ValkeyServer
from events.models import OutboxEvent
from realtime.bridge import status
from realtime.bridge.lease import KEY as LEASE
from realtime.bridge.lease import RELAY_KEY
from realtime.operations import health
from realtime.operations.health import database_check, details, readiness
from realtime.server.background import Background
from realtime.socket.nats_publisher import Link
from realtime.socket.position_intake import track_buffer
from rides.metering.fixes import Fix
from rides.models import Match
from rides.services.tracks import Report
from tests.cast import propose
from tests.fault_proxy import FaultProxy
from tests.redis_faults import REFUSALS
from users.models import User
from users.presence import Presence, presence


class Broken:
    """What is away."""

    vendor = "postgresql"

    def cursor(self) -> None:
        raise DatabaseError("gone\nwith a second line")


class BrokenRedis:
    """A client that refuses everything."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> None:
            raise redis.ConnectionError("refused")

        return refuse


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Background, "is_running", True)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Link, "is_connected", True)


def test_one_process_names_what_it_stands_on(transactional_db: None, running: None) -> None:
    assert details() == {
        "database": {"ok": True},
        "background": {"ok": True},
        "serving": {"ok": True},
        "outbox": {"ok": True, "backlog": 0, "age": 0.0},
        "timers": {"ok": True, "overdue": 0.0},
        "tracks": {"ok": True, "age": 0.0},
        "clock": {"ok": True, "skew": pytest.approx(0, abs=1)},
        "connections": {"ok": True, "total": 0, "stale": 0},
    }


def test_one_of_many_names_more(transactional_db: None, distributed: None, running: None, connected: None) -> None:
    sync_redis().mset({LEASE: "somebody", status._KEY: 3})
    found = details()
    assert found["redis"] == found["nats"] == {"ok": True}
    assert found["bridge"] == {"ok": True, "active": True, "lag": 3}
    assert all(check["ok"] for check in found.values())


def test_without_nats_it_is_not_well(transactional_db: None, distributed: None) -> None:
    assert details()["nats"] == {"ok": False}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {"ok": False, "active": False, "lag": None}),
        ({status._KEY: 0}, {"ok": False, "active": False, "lag": 0}),
        ({LEASE: "x"}, {"ok": False, "active": True, "lag": None}),
        ({LEASE: "x", status._KEY: 11}, {"ok": False, "active": True, "lag": 11}),
        ({LEASE: "x", status._KEY: 10}, {"ok": True, "active": True, "lag": 10}),
        (
            {LEASE: "x", status._KEY: 0, status._TROUBLE: "full"},
            {"ok": False, "active": True, "lag": 0, "error": "events are waiting: full"},
        ),
        ({LEASE: "x", status._KEY: 9, status._STUCK: 4.9}, {"ok": True, "active": True, "lag": 9}),
        (
            {LEASE: "x", status._KEY: 9, status._STUCK: 5.1},
            {"ok": False, "active": True, "lag": 9, "error": "nothing was delivered for 5 s"},
        ),
    ],
)
def test_a_bridge_must_be_at_work_and_near(
    transactional_db: None, distributed: None, settings: Any, said: dict[Any, Any], expected: dict[str, Any]
) -> None:
    settings.HEALTH_MAX_BRIDGE_LAG = 10
    if said:
        sync_redis().mset(said)
    assert details()["bridge"] == expected


def test_a_silent_process_is_named(transactional_db: None, distributed: None) -> None:
    assert details()["processes"] == {"ok": True}
    client: Any = sync_redis()
    client.zadd(KEY, {"web a:1": client.time()[0] - 5})
    found = details()["processes"]
    assert (found["ok"], list(found["silent"])) == (False, ["web a:1"])


def test_a_process_with_a_wrong_clock_is_named(transactional_db: None, distributed: None) -> None:
    """Whichever it is: the clock of the one who is asked says nothing of the others."""
    shared_clock()._ahead = time.time() - steady() - 3600
    asyncio.run(Roll("bridge").beat())
    assert details()["processes"] == {"ok": False, "clocks": [f"{Roll('bridge').name} (+3600 s)"]}


def test_what_is_overdue_is_named(transactional_db: None, dewi: User, putri: User) -> None:
    """Nobody does it: a dispatcher that hangs, or none."""
    match = propose(dewi, putri)
    for late, good in ((9, True), (11, False)):
        Match.objects.update(expires_at=timezone.now() - timedelta(seconds=late))
        found = details()["timers"]
        assert (found["ok"], int(found["overdue"])) == (good, late)
    match.delete()
    assert details()["timers"]["ok"]


def test_points_that_are_not_written_are_named(transactional_db: None) -> None:
    """One ride that always fails does not look like an outage of the database."""
    for late, good in ((9, True), (11, False)):
        fix = Fix(0, 0, time.time() - late)
        track_buffer().add(UUID(int=late), Report(fix, fix.received_at))
        found = details()["tracks"]
        assert (found["ok"], int(found["age"])) == (good, late)


def test_an_event_must_not_wait_too_long(transactional_db: None, settings: Any) -> None:
    settings.HEALTH_MAX_OUTBOX_AGE = timedelta(seconds=30)
    OutboxEvent.objects.create(key="k", type="t", subject="s", data={}, audience={})
    assert details()["outbox"]["ok"] is True
    OutboxEvent.objects.update(created_at=timezone.now() - timedelta(seconds=31))
    found = details()["outbox"]
    assert (found["ok"], found["backlog"]) == (False, 1)
    assert found["age"] >= 31


@pytest.mark.parametrize(("stale", "good"), [(0, True), (2, True), (3, False), (4, False)])
def test_not_more_than_half_of_the_connections_may_be_stale(
    transactional_db: None, settings: Any, *, stale: int, good: bool
) -> None:
    connections = [Presence(connection_id=UUID(int=n), user_id=UUID(int=n), role="driver") for n in range(4)]
    for one in connections[:stale]:
        one.heard -= settings.WS_READ_TIMEOUT.total_seconds() + 1
    presence().note(connections)
    assert details()["connections"] == {"ok": good, "total": 4, "stale": stale}


def test_what_is_away_is_named_with_the_reason_and_hides_nothing_else(
    transactional_db: None, distributed: None, monkeypatch: pytest.MonkeyPatch, running: None
) -> None:
    monkeypatch.setattr(health, "connection", Broken())
    found = details()
    assert found["database"] == {"ok": False, "error": "gone"}
    assert found["redis"] == {"ok": True}
    assert readiness() == {"database": False, "background": True, "serving": True, "redis": True}
    monkeypatch.setattr("common.redis.sync_redis", BrokenRedis)
    assert details()["redis"] == {"ok": False, "error": "refused"}
    assert readiness()["redis"] is False


def test_redis_counts_only_where_it_is_used(transactional_db: None) -> None:
    assert set(readiness()) == {"database", "background", "serving"}


@pytest.mark.usefixtures("transactional_db", "distributed")
@pytest.mark.parametrize("word", [word for word in REFUSALS if word != "BUSY"])
def test_a_redis_that_refuses_changes_is_not_well(valkey: ValkeyServer, word: str) -> None:
    """It answers pings all the while, and every socket fails."""
    operator = redis.Redis.from_url(valkey.url, socket_timeout=None)
    undo = REFUSALS[word](valkey, operator)
    try:
        assert details()["redis"]["ok"] is False
        assert readiness()["redis"] is False
    finally:
        undo()
        operator.close()
    assert details()["redis"] == {"ok": True}


@pytest.mark.usefixtures("transactional_db", "distributed")
def test_a_frozen_redis_is_named_in_time(valkey: ValkeyServer, settings: Any) -> None:
    """Everything else is answered; a probe that waits for longer learns nothing."""
    with FaultProxy(valkey.port) as proxy:
        settings.REDIS_URL = proxy.url(valkey.url)
        sync_redis.cache_clear()
        assert details()["redis"] == {"ok": True}
        proxy.freeze()
        began = time.monotonic()
        found = details()
        assert time.monotonic() - began < 5
        assert found["redis"] == {"ok": False, "error": "no answer within 3 s"}
        assert found["database"] == {"ok": True}
        proxy.thaw()
        sync_redis().close()


class Standby:
    """A PostgreSQL that answers everything that only reads."""

    vendor = "postgresql"

    def cursor(self) -> "Standby":
        return self

    def __enter__(self) -> "Standby":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, text: str) -> None:
        assert "transaction_read_only" in text

    def nextset(self) -> bool:
        return True

    def fetchone(self) -> tuple[str, int]:
        return ("on", 5000)


def test_a_standby_is_not_well(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failover; the full-size faults have a real one."""
    monkeypatch.setattr(health, "connection", Standby())
    assert details()["database"] == {"ok": False, "error": "the database is read-only"}
    assert readiness()["database"] is False


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a page is written to SQLite")
@pytest.mark.usefixtures("db")
def test_a_disk_without_room_is_not_well() -> None:
    """The check needs a file of PostgreSQL, which is refused here; the faults have a disk that is full."""
    assert database_check() == {"ok": True}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL temp_file_limit = 0")
    with pytest.raises(DatabaseError, match="temp_file_limit"):
        database_check()


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize(("hours", "good"), [(0, True), (1, False), (-1, False)])
def test_a_wrong_clock_is_said(monkeypatch: pytest.MonkeyPatch, hours: int, *, good: bool) -> None:
    """By the clock of the database, which all processes share."""
    now = timezone.now()
    monkeypatch.setattr(health, "database_now", lambda: now - timedelta(hours=hours))
    found = details()["clock"]
    assert found["ok"] is good
    assert found["skew"] == pytest.approx(hours * 3600, abs=60)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a server says so itself")
def test_sqlite_that_another_process_holds_is_not_well(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And all is well when it lets go; who only reads would not notice."""
    monkeypatch.setattr(health, "SQLITE_PATIENCE", 50)
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert details()["database"] == {"ok": False, "error": "database is locked"}
        other.execute("ROLLBACK")
    assert details()["database"] == {"ok": True}
    assert readiness()["database"] is True


def test_each_shard_has_its_bridge(transactional_db: None, two_shards: None) -> None:
    """One that has none, or is far behind, is seen; and so is an outbox that nobody relays."""
    sync_redis().mset({LEASE: "a", status._KEY: 3})
    assert details()["bridge"]["lag"] is None
    sync_shard(1).mset({LEASE: "b", status._KEY: 4})
    found = details()["bridge"]
    assert (found["ok"], found["active"], found["lag"], found["relay"]) == (False, False, 4, False)
    assert [one["lag"] for one in found["shards"]] == [3, 4]
    sync_redis().set(RELAY_KEY, "c")
    assert details()["bridge"]["ok"] is True
    sync_shard(1).delete(LEASE)
    assert details()["bridge"]["ok"] is False


def test_each_shard_is_asked(transactional_db: None, two_shards: None, settings: Any) -> None:
    """Also whether it is the one that the bridges take it for: other lists of servers lead to other histories."""
    sync_shard(1).set(status.SHARD_KEY, "1 of 2")
    assert details()["redis"] == {"ok": True}
    sync_shard(1).set(status.SHARD_KEY, "0 of 2")
    assert details()["redis"] == {"ok": False, "error": "a bridge knows shard 1 of 2 as 0 of 2: see REDIS_SHARDS"}
    settings.REDIS_SHARDS = ["redis://127.0.0.1:1/0"]
    assert details()["redis"]["ok"] is False
