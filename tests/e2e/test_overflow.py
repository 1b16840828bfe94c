"""A client of a real server who does not read while more happens than the sockets and the channel layer hold."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest
from websockets.asyncio.client import connect

from devservers.web import ServerProcess
from tests.e2e.conftest import StartServer
from tests.patience import until_true, within
from tests.stress.census import census_of

pytestmark = pytest.mark.e2e

COUNT = 4000
MANY_EVENTS = """
from events.models import OutboxEvent
from users.models import User
audience = {str(User.objects.get(msisdn="+6281200000001").pk): None}
OutboxEvent.objects.bulk_create(
    OutboxEvent(key="k", type="probe", subject="probe", data={"n": n, "text": "x" * 4000}, audience=audience)
    for n in range(1, COUNT + 1)
)
"""


def wait_until_handed_out(server: ServerProcess) -> None:
    """Wait until the relay has handed out all events."""
    waiting = "SELECT count(*) FROM events_outboxevent WHERE published_at IS NULL"
    with closing(sqlite3.connect(server.database)) as database:
        until_true(lambda: database.execute(waiting).fetchone() == (0,), "Events wait in the outbox.")


@pytest.mark.parametrize("history", [COUNT, 100])
async def test_late_readers_miss_nothing(start_server: StartServer, history: int) -> None:
    """A client that reads late gets every notification in order, or the state where the history is too short."""
    server = start_server(
        "-m", "tests.stress.census", "serve", "--port", "0", WS_WRITE_TIMEOUT="60s", HISTORY_MAX=str(history)
    )
    token = server.log_in("+6281200000001", driver=True)
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(server.url.replace("http", "ws", 1) + "/ws/", additional_headers=headers) as socket:
        assert json.loads(await socket.recv())["data"]["seq"] == 0
        done = await asyncio.to_thread(server.manage, "shell", "-c", MANY_EVENTS.replace("COUNT", str(COUNT)))
        assert done.returncode == 0, done.stderr
        await asyncio.to_thread(wait_until_handed_out, server)
        assert (await asyncio.to_thread(census_of, server))["dropped"]
        seq, states = 0, 0
        async with within():
            while seq < COUNT:
                frame = json.loads(await socket.recv())
                if frame["type"] == "session_ready":
                    states += 1
                    assert frame["data"]["seq"] > seq
                    seq = frame["data"]["seq"]
                else:
                    assert frame["seq"] == frame["data"]["n"] == seq + 1
                    seq += 1
    assert seq == COUNT
    assert states == (history < COUNT)
