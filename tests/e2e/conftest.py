"""Servers for the end-to-end tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from devservers.topology import Topology
from devservers.web import ServerProcess
from tests.collector import Collector

StartServer = Callable[..., ServerProcess]


@pytest.fixture
def start_server(tmp_path: Path, template_database: Path) -> Iterator[StartServer]:
    """Start servers on one fresh database; what still runs at the end is stopped, by its pid."""
    yield from servers_on(tmp_path, template_database)


def servers_on(folder: Path, database: Path) -> Iterator[StartServer]:
    """Start servers on one copy of a database, in a folder."""
    started: list[ServerProcess] = []

    def start(*command: str, url: str = "", **env: str) -> ServerProcess:
        server = ServerProcess(folder, *command, **env)
        if not started:
            shutil.copy(database, server.database)
        started.append(server)
        return server.start(url)

    yield start
    for server in started:
        if server.process is not None and server.process.returncode is None:
            server.stop()


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Is sent the traces of the whole system."""
    with Collector().running() as running:
        yield running


@pytest.fixture(scope="session")
def topology(template_cluster: Path, collector: Collector) -> Iterator[Topology]:
    """The whole system, with one bridge; every test leaves it running, and brings people of its own."""
    with TemporaryDirectory() as folder:
        made = Topology(Path(folder), bridges=1, WS_TOKEN_CHECK="1s", LIVE_INTERVAL="200ms", **collector.env)
        with made.with_data_of(template_cluster) as running:
            yield running


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    """A running server."""
    return start_server()
