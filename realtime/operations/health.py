"""Whether everything that a server stands on is well, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from common import clock
from common.clock import MAX_SKEW
from common.db import database_now
from common.errors import brief
from common.retrying import Errors
from common.shards import shard_count, shard_name
from common.threads import wait_for_write_thread
from common.unavailable import redis_away
from events.pending import backlog
from realtime.operations.asking import Unanswered, asker
from realtime.server.background import background
from realtime.server.drain import drain
from realtime.server.due import overdue
from realtime.socket.nats_publisher import link
from realtime.socket.position_intake import track_buffer
from users.presence import presence

Check = dict[str, Any]
"""`{"ok": bool, …}`: figures that say more, or the `error`."""

Checks = Mapping[str, Callable[[], Check]]

MOST_LATE = 10.0
"""Seconds by which what is due may be late, and for which points of rides may wait for the database."""

MOST_STUCK = 5.0
"""Seconds for which the bridge may deliver nothing although messages wait."""

SQLITE_PATIENCE = 2000
"""Milliseconds in which another process must let go of SQLite's lock."""

_WRITE_TO_POSTGRESQL = """
SET LOCAL work_mem = '64kB';
SELECT current_setting('transaction_read_only'), count(*) FROM generate_series(1, 5000)
"""
"""Two statements in one transaction. The rows are too many for the memory, so PostgreSQL writes them to a file for a
moment: that fails on a full disk, where an ordinary change may still find room within its table."""


def faults() -> Errors:
    """Return what a check raises where something is not well."""
    return (*redis_away(), DatabaseError, Unanswered)


def readiness() -> dict[str, bool]:
    """Return whether sockets can be served: what is asked, and whether it is well."""
    checks = {"database": database_check, "background": _running, "serving": _serving}
    if settings.DISTRIBUTED:
        checks["redis"] = redis_check
    return {name: check["ok"] for name, check in asked(checks).items()}


def details() -> dict[str, Check]:
    """Return how each dependency is."""
    checks = {
        "database": database_check,
        "background": _background,
        "serving": _serving,
        "outbox": _outbox,
        "timers": _timers,
        "tracks": _tracks,
        "clock": _clock,
        "connections": _connections,
    }
    if settings.DISTRIBUTED:
        checks |= {"redis": redis_check, "nats": _nats, "bridge": bridge_check, "processes": _processes}
    return asked(checks)


def asked(checks: Checks) -> dict[str, Check]:
    """Return what the checks say, within `PATIENCE`: what does not answer by then is not well."""
    answers = asker().ask(checks)
    return {name: _carefully(lambda name=name: answers.of(name)) for name in checks}  # type: ignore[misc]


def _carefully(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except faults() as exc:
        return {"ok": False, "error": brief(exc)}


def database_check() -> Check:
    """Whether the database answers, and takes changes: a standby does not, nor does one without room on its disk."""
    if connection.vendor == "sqlite":
        wait_for_write_thread(_write_to_sqlite)
        return {"ok": True}
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_TO_POSTGRESQL)
        cursor.nextset()
        if cursor.fetchone()[0] == "on":
            return {"ok": False, "error": "the database is read-only"}
    return {"ok": True}


def _write_to_sqlite() -> None:
    """Write a page: whoever else holds the lock, and a disk that is full, are not seen by reading."""
    patience = int(settings.DATABASE_TIMEOUT.total_seconds() * 1000)
    connection.ensure_connection()
    with connection.wrap_database_errors:
        session = connection.connection
        session.execute(f"PRAGMA busy_timeout = {min(SQLITE_PATIENCE, patience)}")
        try:
            session.execute("BEGIN IMMEDIATE")
            session.execute("PRAGMA user_version = 0")
            session.execute("COMMIT")
        finally:
            if session.in_transaction:
                session.execute("ROLLBACK")
            session.execute(f"PRAGMA busy_timeout = {patience}")


def _clock() -> Check:
    """Whether this process and the database agree on the time: offers, rides and tokens hang on it."""
    skew = (timezone.now() - database_now()).total_seconds()
    return {"ok": abs(skew) <= MAX_SKEW, "skew": round(skew, 1)}


def _running() -> Check:
    """Whether all background tasks are there."""
    return {"ok": background().is_running}


def _background() -> Check:
    """Whether all background tasks are there, and none has failed a moment ago; those that have are `failing`."""
    failing = background().failing
    return {"ok": background().is_running and not failing, **({"failing": failing} if failing else {})}


def _serving() -> Check:
    """Whether new sockets are served: not while the server stops."""
    return {"ok": not drain().has_begun}


def redis_check() -> Check:
    """Whether Redis takes changes, on all shards: out of memory, or a replica, it still answers pings."""
    from common.redis import PREFIX, sync_redis, sync_shard  # as below: not in a process that stands alone
    from realtime.bridge.status import claimed_name

    for shard in range(shard_count()):
        redis = sync_shard(shard) if shard else sync_redis()
        if not redis.set(f"{PREFIX}health", 1, ex=60):
            return {"ok": False}
        claimed = claimed_name(shard)
        if claimed not in ("", shard_name(shard)):
            return {"ok": False, "error": f"a bridge knows shard {shard_name(shard)} as {claimed}: see REDIS_SHARDS"}
    return {"ok": True}


def _nats() -> Check:
    return {"ok": link().is_connected}


def _outbox() -> Check:
    waiting = backlog()
    good = waiting.age <= settings.HEALTH_MAX_OUTBOX_AGE.total_seconds()
    return {"ok": good, "backlog": waiting.events, "age": round(waiting.age, 3)}


def _timers() -> Check:
    """Whether what is due is done, by whichever process; `overdue` is by how many seconds it is late."""
    late = overdue()
    return {"ok": late <= MOST_LATE, "overdue": round(late, 1)}


def _tracks() -> Check:
    """Whether the points of rides get into the database; `age` is for how many seconds one has waited here."""
    oldest = track_buffer().oldest
    age = 0.0 if oldest is None else max(0.0, clock.timestamp() - oldest)
    return {"ok": age <= MOST_LATE, "age": round(age, 1)}


def bridge_check() -> Check:
    """A bridge must be at work, able to publish, and not far behind; `lag` is null when no bridge runs at all.

    With several shards each needs one, and the outbox a relay.
    """
    from realtime.bridge.status import has_relay

    if shard_count() == 1:
        return _bridge_of(0)
    shards = [_bridge_of(shard) for shard in range(shard_count())]
    lags = [check["lag"] for check in shards]
    relayed = has_relay()
    return {
        "ok": relayed and all(check["ok"] for check in shards),
        "active": relayed and all(check["active"] for check in shards),
        "lag": None if None in lags else max(lags),
        "relay": relayed,
        "shards": shards,
    }


def _bridge_of(shard: int) -> Check:
    from realtime.bridge.status import read_status

    status = read_status(shard)
    near = status.lag is not None and status.lag <= settings.HEALTH_MAX_BRIDGE_LAG
    errors = [f"events are waiting: {status.trouble}"] if status.trouble else []
    if status.stuck > MOST_STUCK:
        errors.append(f"nothing was delivered for {status.stuck:.0f} s")
    error = {"error": "; ".join(errors)} if errors else {}
    return {"ok": status.is_active and near and not errors, "active": status.is_active, "lag": status.lag, **error}


def _processes() -> Check:
    """No process of ours may be silent (suspended, hanging, killed a moment ago), or have a clock that is wrong."""
    from common.roll import silent_processes, wrong_clocks

    found: dict[str, Any] = {"silent": silent_processes(), "clocks": wrong_clocks()}
    named = {name: some for name, some in found.items() if some}
    return {"ok": not named, **named}


def _connections() -> Check:
    """Not more than half of the connections may be stale: heard of last longer ago than `WS_READ_TIMEOUT`."""
    everyone = presence().everyone()
    stale = sum(one.is_stale for one in everyone)
    return {"ok": 2 * stale <= len(everyone), "total": len(everyone), "stale": stale}
