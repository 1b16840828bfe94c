"""A small share of what `make test-hostile` does to a server in full."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from devservers.web import ServerProcess
from tests.e2e.conftest import StartServer
from tests.e2e.test_drain import tokens_of_many
from tests.patience import TIMEOUT
from tests.stress.hostile import AT_ONCE, PEOPLE, attack, wait_for_the_slow
from tests.stress.test_churn import settled

pytestmark = pytest.mark.e2e


def start_with_census(start_server: StartServer) -> ServerProcess:
    return start_server(
        "-m",
        "tests.stress.census",
        "serve",
        "--port",
        "0",
        WS_LOCATION_RATE="0",
        WS_HANDSHAKE_TIMEOUT="2s",
        COMMAND_ID_TTL="1s",
        LOG_LEVEL="WARNING",
    )


def check_that_nothing_is_wrong(server: ServerProcess) -> None:
    said = "".join(server.output)
    assert "Traceback" not in said, said[-3000:]
    assert "ERROR" not in said, said[-3000:]
    assert httpx.get(f"{server.url}/health/live", timeout=TIMEOUT).status_code == 200


def test_random_frames_leave_nothing_behind(start_server: StartServer) -> None:
    """Random frames, handshakes and violations leave no error, task, group or connection behind."""
    server = start_with_census(start_server)
    tokens = tokens_of_many(server, PEOPLE)
    asyncio.run(attack(server, tokens, frames=10 * AT_ONCE, handshakes=2 * AT_ONCE, seed=1))
    before = settled(server)
    outcome = asyncio.run(attack(server, tokens, frames=500 * AT_ONCE, handshakes=10 * AT_ONCE, seed=2))
    assert not outcome.failures
    assert (outcome.frames, outcome.handshakes) == (500 * AT_ONCE, 10 * AT_ONCE)
    assert outcome.witness.answers
    assert outcome.answers["INTERNAL_ERROR"] == 0
    assert min(outcome.answers[code] for code in ("INVALID_FORMAT", "VALIDATION_FAILED", "UNAUTHORIZED", "ack")) > 10
    after = settled(server)
    for name in ("connections", "tasks", "groups", "mailboxes", "online"):
        assert after[name] <= before[name]
    check_that_nothing_is_wrong(server)


def test_unfinished_handshakes_block_nobody(start_server: StartServer) -> None:
    """Beside hundreds of unfinished handshakes a good client gets in."""
    server = start_with_census(start_server)
    [token] = tokens_of_many(server, 1)
    asyncio.run(wait_for_the_slow(server.url.removeprefix("http://"), token, 200))
    check_that_nothing_is_wrong(server)
