"""A PostgreSQL that is half dead, behind a proxy: every wait for it ends, and nothing is done twice."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from common.db import AWAY
from devservers.servers import PostgresServer
from nebengjek.settings import _postgresql_options
from tests.fault_proxy import FaultProxy

pytestmark = pytest.mark.django_db

ANSWER = 1.0
"""Seconds for an answer."""


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[FaultProxy]:
    with FaultProxy(postgres.port) as running:
        yield running


@pytest.fixture
def database(proxy: FaultProxy) -> Iterator[BaseDatabaseWrapper]:
    """A connection through the proxy, to a table of this test; an answer may take `ANSWER` seconds."""
    made = connect(proxy.port)
    with made.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS entry; CREATE TABLE entry (number int)")
    yield made
    proxy.heal()
    made.close()


def connect(port: int, **options: Any) -> BaseDatabaseWrapper:
    """Return a connection as the settings make it, but for an answer within `ANSWER` seconds."""
    config = {
        "ENGINE": "common.postgresql", "HOST": "127.0.0.1", "PORT": port, "NAME": "postgres", "USER": "postgres",
        "OPTIONS": {**_postgresql_options(), "answer_timeout": ANSWER, **options},
    }  # fmt: skip
    made: BaseDatabaseWrapper = ConnectionHandler({"default": config})["default"]
    return made


def numbers(port: int) -> list[int]:
    """Return what is in the table, by a connection of its own."""
    own = connect(port)
    with own.cursor() as cursor:
        cursor.execute("SELECT number FROM entry ORDER BY number")
        found = [row[0] for row in cursor.fetchall()]
    own.close()
    return found


def insert(database: BaseDatabaseWrapper, number: int) -> None:
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO entry VALUES (%s)", [number])


def seconds_until_refused(database: BaseDatabaseWrapper, number: int = 1) -> float:
    began = time.monotonic()
    with pytest.raises(AWAY):
        insert(database, number)
    return time.monotonic() - began


@pytest.mark.parametrize("fault", ["freeze", "drop"])
def test_a_wait_for_a_server_that_is_silent_ends(database: BaseDatabaseWrapper, proxy: FaultProxy, fault: str) -> None:
    """TCP sees nothing of it: the other side takes every byte."""
    getattr(proxy, fault)()
    assert ANSWER <= seconds_until_refused(database) < ANSWER + 5
    assert not database.is_usable()
    database.close()
    proxy.heal()
    insert(database, 2)
    assert 2 in numbers(proxy.port)


def test_the_end_of_a_transaction_does_not_wait_for_ever(database: BaseDatabaseWrapper, proxy: FaultProxy) -> None:
    """Neither the commit nor the rollback after it."""
    database.set_autocommit(False)
    insert(database, 1)
    proxy.freeze()
    began = time.monotonic()
    with pytest.raises(AWAY):
        database.commit()
    with pytest.raises(AWAY):
        database.rollback()
    assert time.monotonic() - began < 2 * ANSWER + 5


def test_an_answer_that_comes_late_is_never_taken_for_another(database: BaseDatabaseWrapper, proxy: FaultProxy) -> None:
    """The connection is of no use any more, although the server goes on."""
    proxy.freeze()
    seconds_until_refused(database, 7)
    proxy.thaw()
    with pytest.raises(AWAY), database.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_a_commit_whose_answer_is_lost_was_done(database: BaseDatabaseWrapper, proxy: FaultProxy) -> None:
    """It is an error of a server that is away; who asks again must know their own row."""
    database.set_autocommit(False)
    insert(database, 3)
    proxy.lose_answer_to(b"COMMIT")
    with pytest.raises(AWAY):
        database.commit()
    assert proxy.losses == 1
    assert numbers(proxy.port) == [3]


def test_an_answer_that_is_cut_off_is_an_error(database: BaseDatabaseWrapper, proxy: FaultProxy) -> None:
    insert(database, 1)
    proxy.cut_after(20)
    with pytest.raises(AWAY), database.cursor() as cursor:
        cursor.execute("SELECT number, repeat('x', 10000) FROM entry")


def test_latency_breaks_nothing(database: BaseDatabaseWrapper, proxy: FaultProxy) -> None:
    proxy.delay(0.15)
    insert(database, 1)
    proxy.heal()
    assert numbers(proxy.port) == [1]


def test_the_server_itself_ends_what_takes_long(database: BaseDatabaseWrapper, proxy: FaultProxy) -> None:
    """A statement, and a wait for a lock, each before the connection is given up."""
    options = "-c statement_timeout=300 -c lock_timeout=100"
    impatient = connect(proxy.port, options=options)
    with pytest.raises(OperationalError, match="statement timeout"), impatient.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")
    insert(database, 1)
    database.set_autocommit(False)
    with database.cursor() as cursor:
        cursor.execute("LOCK TABLE entry")
    with pytest.raises(OperationalError, match="lock timeout"):
        insert(impatient, 2)
    assert impatient.is_usable()
    impatient.close()
    database.rollback()


def test_connecting_to_a_frozen_server_ends(proxy: FaultProxy) -> None:
    proxy.freeze()
    began = time.monotonic()
    with pytest.raises(AWAY):
        connect(proxy.port, connect_timeout=2).ensure_connection()
    assert time.monotonic() - began < 10


def test_a_statement_that_takes_its_time_is_answered(database: BaseDatabaseWrapper, proxy: FaultProxy) -> None:
    """A freeze that is shorter than the limit costs nothing."""
    proxy.freeze()
    timer = threading.Timer(ANSWER / 2, proxy.thaw)
    timer.start()
    insert(database, 5)
    timer.join()
    assert numbers(proxy.port) == [5]


def test_all_waits_are_bounded_but_for_maintenance(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration may take an hour; its connection is kept alive all the same."""
    server = _postgresql_options()
    for name in ("statement_timeout=15000", "lock_timeout=10000", "idle_in_transaction_session_timeout=15000"):
        assert f"-c {name}" in server["options"]
    assert server["answer_timeout"] == 17
    monkeypatch.setattr("sys.argv", ["manage.py", "migrate"])
    maintenance = _postgresql_options()
    assert not {"options", "answer_timeout"} & set(maintenance)
    for options in (server, maintenance):
        assert {"keepalives_idle", "keepalives_count", "tcp_user_timeout", "connect_timeout"} <= set(options)


def test_a_standby_is_away(database: BaseDatabaseWrapper) -> None:
    """Commands wait for the new primary, and no message is blamed."""
    with database.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    with pytest.raises(AWAY, match="read-only"):
        insert(database, 1)
