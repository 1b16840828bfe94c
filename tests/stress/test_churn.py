"""What people who come and go leave behind in a real server."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from bench.database import count_rows
from devservers.web import ServerProcess
from tests.e2e.conftest import StartServer
from tests.patience import until_true
from tests.stress.census import census_of
from tests.stress.churn import come_and_go

pytestmark = pytest.mark.e2e


def settled(server: ServerProcess) -> dict[str, int]:
    """What the server has in hand once that does not change any more, and the rows of its database."""
    seen: list[dict[str, int]] = []

    def stays_the_same() -> bool:
        time.sleep(0.2)
        counts = census_of(server)
        del counts["objects"]
        seen.append(counts)
        return len(seen) >= 3 and seen[-1] == seen[-2] == seen[-3]

    until_true(stays_the_same)
    return seen[-1] | count_rows(server.database)


def test_visitors_leave_nothing_behind(start_server: StartServer) -> None:
    """After many connects and disconnects the server holds as much as before."""
    server = start_server("-m", "tests.stress.census", "serve", "--port", "0")
    people = [server.log_in(f"+62812000000{n:02d}", driver=n % 2 == 0) for n in range(12)]
    url = server.url.replace("http", "ws", 1) + "/ws/"
    tokens = itertools.cycle(people)
    asyncio.run(come_and_go(url, tokens, 24, 4))  # by now every thread has begun, and everybody was seen somewhere
    before = settled(server)
    assert (before["connections"], before["groups"], before["positions"]) == (0, 0, 12)
    asyncio.run(come_and_go(url, tokens, 120, 4))
    assert settled(server) == before
    assert "Traceback" not in "".join(server.output)
