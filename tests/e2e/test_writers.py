"""Everybody writes to SQLite at once: sockets, HTTP requests, the background work and other processes."""

from __future__ import annotations

import asyncio

import pytest

from bench.database import count_rows
from bench.writers import in_another_process, over_http, over_socket
from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e


async def test_nobody_finds_the_database_locked(start_server: StartServer) -> None:
    """All write as fast as they are answered, which is more than a town does."""
    server = start_server()
    numbers = [f"+6281200000{n:03d}" for n in range(8)]
    people = [await asyncio.to_thread(server.log_in, number, driver=True) for number in numbers]
    before = count_rows(server.database)
    await asyncio.gather(
        *(over_socket(server.url, token, 40) for token in people[:3]),
        *(over_http(server.url, token, 30) for token in people[3:6]),
        *(in_another_process(server, number, 40) for number in numbers[6:]),
    )
    after = count_rows(server.database)
    assert after["events_outboxevent"] - before["events_outboxevent"] == (3 + 2) * 40
    assert server.stop() in (0, -15)
    output = "".join(server.output)
    assert "locked" not in output
    assert "Traceback" not in output
