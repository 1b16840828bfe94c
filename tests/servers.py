"""Real servers for the tests: started once for a test process that needs them, stopped at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from common.nats import connect_to_nats
from common.redis import close_async_redis, sync_redis, sync_shard
from common.shards import redis_urls
from devservers.servers import NatsServer, PostgresServer, Server, ValkeyServer
from devservers.templates import TEMPLATE_CLUSTER, TEMPLATE_DATABASE
from devservers.web import ServerProcess
from events.stream import STREAM, stream_of


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables, for servers to start on a copy: a migration costs 2 s of processor."""

    def make(template: Path) -> None:
        maker = ServerProcess(tmp_path_factory.mktemp("template"))
        maker.migrate()
        maker.database.rename(template)

    return _once(tmp_path_factory, "template.sqlite3", make)


@pytest.fixture(scope="session")
def template_cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a PostgreSQL with all tables: to make it anew costs 5 s of processor."""
    _look_for(PostgresServer)

    def make(template: Path) -> None:
        server = PostgresServer(tmp_path_factory.mktemp("cluster"), fsync=False)
        with server:
            ServerProcess(server.folder, DATABASE_URL=server.url).migrate()
        unfinished = template.with_suffix(".new")
        shutil.copytree(server.data, unfinished)
        server.wipe()
        unfinished.rename(template)

    return _once(tmp_path_factory, "template.cluster", make)


@pytest.fixture(scope="session")
def templates(template_database: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a process that is to begin on copies of both."""
    env = {**os.environ, "DOTENV": ".env.of-no-tests", TEMPLATE_DATABASE: str(template_database)}
    if PostgresServer.find():
        env[TEMPLATE_CLUSTER] = str(request.getfixturevalue("template_cluster"))
    return env


def _look_for(kind: type[Server]) -> None:
    if kind.find() is None and not os.environ.get("CI"):
        pytest.skip(kind.missing)


def _once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return what one of all processes of this run makes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with FileLock(folder / f"{name}.lock"):
        if not (folder / name).exists():
            make(folder / name)
    return folder / name


def started(kind: type[Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start a server in a folder of its own; where none is to be had its tests are skipped, but not in CI."""
    _look_for(kind)
    with kind(tmp_path_factory.mktemp(kind.__name__)) as server:
        yield server


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A running Valkey."""
    yield from started(ValkeyServer, tmp_path_factory)


@pytest.fixture(scope="session")
def other_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A second Valkey, for a second shard."""
    yield from started(ValkeyServer, tmp_path_factory)


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A running NATS with JetStream."""
    yield from started(NatsServer, tmp_path_factory)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A running PostgreSQL."""
    _look_for(PostgresServer)
    server = PostgresServer(tmp_path_factory.mktemp("postgres"), fsync=False)
    with server:
        yield server
    server.wipe()


@pytest.fixture
async def redis_url(valkey: ValkeyServer, settings: Any) -> AsyncIterator[str]:
    """The settings have an empty Valkey; the stores on it are for each test to make."""
    settings.REDIS_URL = valkey.url
    sync_redis.cache_clear()
    sync_redis().flushall()
    yield valkey.url
    await close_async_redis()
    sync_redis().close()
    sync_redis.cache_clear()


@pytest.fixture
async def nats_client(nats_server: NatsServer, settings: Any) -> AsyncIterator[Client]:
    """The settings have a NATS without a stream; this is the connection of another service."""
    settings.NATS_URL = nats_server.url
    client = await connect_to_nats("other")
    with contextlib.suppress(NotFoundError):
        await client.jetstream().delete_stream(STREAM)
    yield client
    await client.close()


@pytest.fixture
def distributed(redis_url: str, nats_client: Client, settings: Any) -> None:
    """This process is one of many: the settings that REDIS_URL and NATS_URL make."""
    settings.DISTRIBUTED = True
    settings.BACKENDS = settings.DISTRIBUTED_BACKENDS
    layer = {
        "BACKEND": "realtime.delivery.layers.redis.RedisChannelLayer",
        "CONFIG": {"hosts": [redis_url], "capacity": 1000},
    }
    settings.CHANNEL_LAYERS = {"default": layer}


@pytest.fixture
async def two_shards(distributed: None, other_valkey: ValkeyServer, nats_client: Client, settings: Any) -> None:
    """This process is one of many, and users are spread over two servers; what `REDIS_SHARDS` makes."""
    settings.REDIS_SHARDS = [other_valkey.url]
    settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"] = redis_urls()
    sync_shard(1).flushall()
    with contextlib.suppress(NotFoundError):
        await nats_client.jetstream().delete_stream(stream_of(1))
