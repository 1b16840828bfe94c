"""The lock that makes a process the only server of its database, on each kind of database."""

import asyncio
import os
import signal
from collections.abc import Iterator
from time import monotonic, sleep

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from realtime.server import background
from realtime.server.background import SERVER_LOCK, Background, OnlyServer
from tests.database import database_url
from tests.patience import TIMEOUT, until

pytestmark = pytest.mark.django_db(transaction=True)

only_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="advisory locks are PostgreSQL's")


@pytest.fixture
def session() -> Iterator[psycopg.Connection]:
    """A connection of somebody else."""
    with psycopg.connect(database_url(), autocommit=True) as made:
        yield made


def holders(session: psycopg.Connection) -> list[int]:
    """Return the pids of the sessions that have our lock."""
    text = """SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
              WHERE locktype = 'advisory' AND objid = %s AND granted AND datname = current_database()"""
    return [pid for (pid,) in session.execute(text, [SERVER_LOCK])]


def test_one_at_a_time_is_the_only_server() -> None:
    first = OnlyServer()
    for _ in range(2):
        with pytest.raises(
            ImproperlyConfigured, match=r"Another server runs on test.*; without REDIS_URL and NATS_URL"
        ):
            OnlyServer()
    first.release()
    first.release()
    second = OnlyServer()
    with pytest.raises(ImproperlyConfigured):
        OnlyServer()
    second.release()


@only_postgresql
def test_in_postgresql_it_is_a_lock_on_a_connection_of_its_own(session: psycopg.Connection) -> None:
    server = OnlyServer()
    [pid] = holders(session)
    connection.ensure_connection()
    assert connection.connection.info.backend_pid != pid
    connection.close()
    assert holders(session) == [pid]
    server.release()
    assert holders(session) == []


@only_postgresql
def test_in_postgresql_who_is_refused_keeps_no_connection(session: psycopg.Connection) -> None:
    def count() -> int:
        session.execute("SELECT pg_stat_clear_snapshot()")
        rows = session.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()").fetchone()
        assert rows is not None
        return int(rows[0])

    server = OnlyServer()
    before = count()
    for _ in range(5):
        with pytest.raises(ImproperlyConfigured):
            OnlyServer()
    deadline = monotonic() + TIMEOUT  # PostgreSQL notices a closed connection a moment later
    while count() > before and monotonic() < deadline:
        sleep(0.02)
    assert count() <= before
    server.release()


@only_postgresql
def test_in_postgresql_a_server_that_was_killed_holds_nobody_up(session: psycopg.Connection) -> None:
    dead = OnlyServer()
    [pid] = holders(session)
    session.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    following = OnlyServer()
    assert holders(session) != [pid]
    following.release()
    dead.release()


@only_postgresql
def test_in_postgresql_the_lock_is_taken_again(session: psycopg.Connection) -> None:
    """After a restart of the database, before another server takes it."""
    server = OnlyServer()
    [pid] = holders(session)
    assert server.hold()
    assert holders(session) == [pid]
    session.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    assert server.hold()
    assert len(holders(session)) == 1
    with pytest.raises(ImproperlyConfigured):
        OnlyServer()
    server.release()


@only_postgresql
async def test_in_postgresql_of_two_servers_one_ends(
    session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another one was faster after a restart of the database: the first asks itself to end, as an operator would."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *call: killed.append(call))
    monkeypatch.setattr(background, "LOCK_INTERVAL", 0.05)
    first = Background()
    first.ensure_started()
    [pid] = holders(session)
    other = asyncio.create_task(asyncio.to_thread(wait_for_the_lock))
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
    await until(lambda: session.execute(waits, [SERVER_LOCK]).fetchone() == (1,))
    assert not killed
    session.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    following = await other
    await until(lambda: killed)
    assert killed[0] == (os.getpid(), signal.SIGTERM)
    assert "Another server has this database" in caplog.text
    await first.stop()
    following.close()


def wait_for_the_lock() -> psycopg.Connection:
    """Take the lock, for another server, as soon as it is free."""
    other = psycopg.connect(database_url(), autocommit=True)
    other.execute("SELECT pg_advisory_lock(%s)", [SERVER_LOCK])
    return other


@only_postgresql
def test_in_postgresql_another_database_has_a_server_of_its_own(session: psycopg.Connection) -> None:
    server = OnlyServer()
    with psycopg.connect(database_url("postgres")) as elsewhere:
        assert elsewhere.execute("SELECT pg_try_advisory_lock(%s)", [SERVER_LOCK]).fetchone() == (True,)
    server.release()
