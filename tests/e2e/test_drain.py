"""A server that is told to stop: what its clients and its proxy see."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from devservers.web import ServerProcess
from realtime.server.drain import BATCH
from tests.e2e.client import PLACE, TARGET, Client
from tests.e2e.conftest import StartServer
from tests.patience import TIMEOUT, until
from tests.tokens import make_token

pytestmark = pytest.mark.e2e
PASSENGER = "+6281200000003"
MANY_PEOPLE = """
from users.models import User
for person in User.objects.bulk_create(User(msisdn=f"+62813{n:08d}") for n in range(COUNT)):
    print(person.pk)
"""


def ask_to_stop(server: ServerProcess) -> None:
    """Send SIGTERM, and wait for nothing."""
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)


def tokens_of_many(server: ServerProcess, count: int) -> list[str]:
    """Make so many passengers, and a token for each."""
    done = server.manage("shell", "--no-imports", "-c", MANY_PEOPLE.replace("COUNT", str(count)))
    assert done.returncode == 0, done.stderr
    expires = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    return [
        make_token({"user_id": user_id, "role": "passenger", "exp": expires, "ver": 0})
        for user_id in done.stdout.split()
    ]


async def is_not_ready(http: httpx.AsyncClient) -> httpx.Response:
    """Wait until the server says that it is not ready, and return what it says."""
    answers: list[httpx.Response] = []

    async def refuses() -> bool:
        answers.append(await http.get("/health/ready"))
        return answers[-1].status_code != 200

    await until(refuses)
    return answers[-1]


async def test_readiness_fails_before_sockets_close(start_server: StartServer) -> None:
    """For SHUTDOWN_NOTICE `/health/ready` says 503 while commands still work; then sockets close with 1012."""
    server = start_server(SHUTDOWN_NOTICE="3s")
    person = await Client.connect(server.url, server.log_in(PASSENGER))
    assert httpx.get(f"{server.url}/health/ready").json()["serving"] is True
    ask_to_stop(server)
    async with httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT) as http:
        answer = await is_not_ready(http)
        assert answer.json() == {"status": "unavailable", "database": True, "background": True, "serving": False}
        assert (await http.get("/health/live")).status_code == 200
    done = await person.do("finder_update", is_active=True, location=PLACE, target_location=TARGET)
    assert done["type"] == "ack"
    assert (await person.data_of("finder_update"))["is_active"] is True
    await person.data_of("server_restarting")
    assert await person.closed_with() == 1012
    with pytest.raises(OSError, match=r"111|refused"):
        await Client.connect(server.url, "x")
    assert server.stop() in (0, -15)


async def test_a_running_command_is_answered(
    server: ServerProcess,
) -> None:
    """A command that has begun before the shutdown is carried out and answered before the socket closes."""
    person = await Client.connect(server.url, server.log_in(PASSENGER))
    await person.data_of("session_ready")
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # no command can write now
        await person.say("finder_update", "slow", is_active=True, location=PLACE, target_location=TARGET)
        ask_to_stop(server)
        assert 0 <= (await person.data_of("server_restarting"))["reconnect_after"] <= 5
        await asyncio.sleep(0.3)
        assert not [frame for frame in person.frames if frame.get("id") == "slow"]
        other.execute("ROLLBACK")
    assert (await person.find(lambda frame: frame.get("id") == "slow"))["type"] == "ack"
    assert await person.closed_with() == 1012
    assert server.stop() in (0, -15)


async def test_sockets_close_in_batches(
    start_server: StartServer,
) -> None:
    """Sockets get `server_restarting` with different delays; one that does not read is cut off."""
    server = start_server(SHUTDOWN_TIMEOUT="6s", WS_WRITE_TIMEOUT="60s")
    people = [await Client.connect(server.url, token) for token in tokens_of_many(server, 2 * BATCH + 5)]
    for person in people:
        await person.data_of("session_ready")
    deaf = people.pop()
    deaf.socket.transport.pause_reading()
    begun = time.monotonic()
    ask_to_stop(server)
    first = people[0]
    last = people[-1]
    assert await first.closed_with() == 1012
    assert last.close_code is None  # his batch comes later
    codes = await asyncio.gather(*(person.closed_with() for person in people))
    assert set(codes) == {1012}
    for person in people:
        assert [frame["type"] for frame in person.frames[1:]] == ["server_restarting"]
    waits = {person.frames[1]["data"]["reconnect_after"] for person in people}
    assert len(waits) > 20  # they do not all come back at once
    assert server.stop() in (0, -15)
    assert time.monotonic() - begun < 30  # the deaf one held nobody up for ever
    deaf.socket.transport.resume_reading()
    assert await deaf.closed_with() in (1006, 1012)


async def test_a_second_ctrl_c_hurries(start_server: StartServer) -> None:
    """The second SIGINT ends the notice period at once."""
    server = start_server(SHUTDOWN_NOTICE="5m")
    person = await Client.connect(server.url, server.log_in(PASSENGER))
    await person.data_of("session_ready")
    assert server.process is not None
    server.process.send_signal(signal.SIGINT)
    async with httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT) as http:
        await is_not_ready(http)
    server.process.send_signal(signal.SIGINT)
    assert await person.closed_with() in (1012, 1006)
    await asyncio.to_thread(server.stop)
