"""Processes that are told to end while a server that they use is frozen."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest

from bench.burst import make_tokens
from devservers.client import Client
from devservers.web import ServerProcess
from tests.patience import until
from tests.stress.half_dead import HalfDead

pytestmark = pytest.mark.e2e

PATIENT = {"DATABASE_STATEMENT_TIMEOUT": "1h", "SHUTDOWN_SPREAD": "500ms", "SHUTDOWN_TIMEOUT": "2s"}
"""Settings with which a thread waits for the database for longer than any test."""

HERE = {"latitude": -6.1754, "longitude": 106.8272}


@pytest.fixture(scope="module")
def topology(template_cluster: Path) -> Iterator[HalfDead]:
    """The whole system; every test leaves it running."""
    with TemporaryDirectory() as folder:
        made = HalfDead(Path(folder)).with_data_of(template_cluster)
        for process in made.processes:
            process.env |= PATIENT
        with made as running:
            yield running


@pytest.fixture(scope="module")
def tokens(topology: HalfDead) -> dict[UUID, str]:
    """Tokens of people who exist in its database."""
    return make_tokens(topology, 4)


@pytest.mark.parametrize("server", ["postgres", "valkey", "nats"])
async def test_every_process_ends_beside_a_frozen_server(
    topology: HalfDead, tokens: dict[UUID, str], server: str
) -> None:
    """Web processes, bridges and dispatchers end while the server is frozen; commands that wait hold nobody up."""
    people = [await Client.connect(topology.urls[n % 2], token) for n, token in enumerate(tokens.values())]
    for person in people:
        await person.data_of("session_ready")
    topology.proxies[server].freeze()
    try:
        for person in people:
            await person.say("finder_update", is_active=True, location=HERE, target_location=HERE)
            await person.say("beacon_update", is_active=True, **HERE)
        for process in topology.processes:
            ask_to_end(process)
        for process in topology.processes:
            await until(lambda: not process.is_alive, " ".join(process.command))  # noqa: B023 - called at once
    finally:
        topology.proxies[server].thaw()
    for person in people:
        await person.closed_with()
    for process in topology.processes:
        process.stop()  # closes the pipe of its output
        process.launch()
    for web in topology.webs:
        web.wait_until_it_answers()


def ask_to_end(process: ServerProcess) -> None:
    """Send SIGTERM, and wait for nothing."""
    assert process.process is not None
    process.process.send_signal(signal.SIGTERM)
