"""What all tests share: a fresh process state for each, and the cast."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from channels.layers import channel_layers
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from hypothesis import settings as hypothesis_settings

from realtime import metrics
from realtime.delivery.history import history
from realtime.server.background import Background
from realtime.socket.connections import connections
from realtime.socket.nats_publisher import link
from realtime.socket.position_intake import track_buffer
from realtime.socket.presence import presence
from realtime.socket.rate_limits import minute_limit
from realtime.socket.receipts import receipt_buffer
from realtime.socket.sessions import sessions
from rides.positions import positions
from tests.cast import make_driver, make_user
from tests.servers import distributed, nats_client, nats_server, redis_url, valkey
from users.models import User

hypothesis_settings.register_profile("patient", deadline=None)  # how long an example takes says nothing here
hypothesis_settings.load_profile("patient")

__all__ = ["distributed", "nats_client", "nats_server", "redis_url", "valkey"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the test database of SQLite, and what it puts beside it, in a folder of this run."""
    if "sqlite" not in settings.DATABASES["default"]["ENGINE"]:
        return
    folder: Path = tmp_path_factory.mktemp("database")
    settings.DATABASES["default"]["TEST"]["NAME"] = str(folder / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _threads_let_go_of_the_database(django_db_setup: None) -> Iterator[None]:
    """End the connections that our threads keep open, before PostgreSQL is asked to drop the database."""
    yield
    if connection.vendor == "postgresql":
        database = connection.settings_dict["NAME"]
        with psycopg.connect(os.environ["TESTS_DATABASE_URL"], autocommit=True) as session:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            session.execute(others, [database])


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Begin every test with the memory of a process that has just started."""
    yield
    for store in (positions, presence, history, sessions, track_buffer, receipt_buffer, minute_limit, link):
        store.cache_clear()
    connections._live.clear()
    for place in range(len(metrics.cells)):
        metrics.cells[place] = 0
    channel_layers.backends.clear()
    cache.clear()


@pytest.fixture
async def background(transactional_db: None) -> AsyncIterator[Background]:
    """The relay, the timers, the heartbeat and the tracks, running."""
    running = Background()
    running.ensure_started()
    yield running
    await running.stop()


@pytest.fixture
def dewi(db: None) -> User:
    """A driver."""
    return make_driver("+6281200000001", "Dewi")


@pytest.fixture
def joko(db: None) -> User:
    """Another driver."""
    return make_driver("+6281200000002", "Joko")


@pytest.fixture
def putri(db: None) -> User:
    """A passenger."""
    return make_user("+6281200000003", "Putri")


@pytest.fixture
def sari(db: None) -> User:
    """Another passenger."""
    return make_user("+6281200000004", "Sari")


@pytest.fixture
def tono(db: None) -> User:
    """A stranger, who must see and do nothing."""
    return make_user("+6281200000005", "Tono")
