"""Each limit of the socket follows its setting: two servers that differ in them do different things.

What takes time is seen by order, not by the clock: the connection to the server with the large value is opened first,
and must be as it was when the one with the small value has ended.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import jwt
import pytest

from devservers.web import ServerProcess
from tests.e2e.client import PLACE, Client, ride_to_pickup
from tests.e2e.test_limits import close_code, read_all
from tests.e2e.test_uvicorn_server import connect_raw, text_frame
from tests.patience import TIMEOUT

pytestmark = pytest.mark.e2e

DRIVER, PASSENGER, OTHER, LATE_READER = "+6281200000001", "+6281200000003", "+6281200000004", "+6281200000005"
SMALL, LARGE = 20_000, 50_000
"""Bytes of the largest message that the two servers take."""

SMALL_LIMITS = {
    "WS_HANDSHAKE_TIMEOUT": "3s",
    "WS_PING_PERIOD": "500ms",
    "WS_READ_TIMEOUT": "2s",
    "WS_WRITE_BUFFER_SIZE": "2000",
    "WS_WRITE_TIMEOUT": "1s",
    "WS_MAX_MESSAGE_SIZE": str(SMALL),
}
LARGE_LIMITS = {
    "WS_HANDSHAKE_TIMEOUT": "5m",
    "WS_PING_PERIOD": "5m",
    "WS_READ_TIMEOUT": "10m",
    "WS_WRITE_BUFFER_SIZE": "64000000",
    "WS_WRITE_TIMEOUT": "1s",
    "WS_MAX_MESSAGE_SIZE": str(LARGE),
    # What the channel layer brings must not have come by the heartbeat, which repairs what the layer lost.
    "WS_HEARTBEAT": "1m",
    "WS_TOKEN_CHECK": "1h",
}


@pytest.fixture(scope="module")
def servers(template_database: Path) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """The server with the small limits, and the one with the large ones; tests leave them running."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        made = ServerProcess(Path(one), **SMALL_LIMITS), ServerProcess(Path(other), **LARGE_LIMITS)
        for server in made:
            shutil.copy(template_database, server.database)
        try:
            yield made[0].start(), made[1].start()
        finally:
            for server in made:
                if server.is_alive:
                    server.stop()


@pytest.fixture
def small(servers: tuple[ServerProcess, ServerProcess]) -> ServerProcess:
    """The server with the small limits."""
    return servers[0]


@pytest.fixture
def large(servers: tuple[ServerProcess, ServerProcess]) -> ServerProcess:
    """The server with the large limits."""
    return servers[1]


def half_a_handshake(server: ServerProcess) -> socket.socket:
    """Begin a handshake and leave it at that."""
    host, port = server.url.removeprefix("http://").split(":")
    raw = socket.create_connection((host, int(port)))
    raw.sendall(b"GET /ws/ HTTP/1.1\r\nHost: x\r\nUpgrade: webso")
    return raw


def is_open(raw: socket.socket) -> bool:
    """Whether a connection is still open; what it has received is read, and may contain no closing frame."""
    raw.setblocking(False)
    data = b""
    try:
        while chunk := raw.recv(65536):
            data += chunk
    except BlockingIOError:
        return b"\x88\x02" not in data[-4:]
    return False


def ask(raw: socket.socket, size: int, count: int) -> None:
    """Send so many questions, whose answers are a little larger than they, for as long as they are taken."""
    question = text_frame(json.dumps({"type": "x" * (size - 100), "data": {}}).encode())
    raw.settimeout(2)
    try:
        for _ in range(count):
            raw.sendall(question)
    except TimeoutError:
        pass


def test_handshake_timeout_follows_its_setting(small: ServerProcess, large: ServerProcess) -> None:
    """An unfinished handshake is given up after `WS_HANDSHAKE_TIMEOUT`, not before."""
    with half_a_handshake(large) as patient, half_a_handshake(small) as hurried:
        assert read_all(hurried).startswith(b"HTTP/1.1 408 ")
        assert is_open(patient)


def test_read_timeout_follows_its_setting(small: ServerProcess, large: ServerProcess) -> None:
    """A client that says nothing, not even pong, is closed after `WS_READ_TIMEOUT`, not before."""
    with connect_raw(large, large.log_in(OTHER)) as patient, connect_raw(small, small.log_in(OTHER)) as hurried:
        assert close_code(read_all(hurried)) == 4408
        assert is_open(patient)


async def test_message_size_follows_its_setting(small: ServerProcess, large: ServerProcess) -> None:
    """A message of `WS_MAX_MESSAGE_SIZE` bytes is answered; one byte more closes the socket with 1009."""
    for server, size in ((small, SMALL), (large, LARGE)):
        client = await Client.connect(server.url, server.log_in(PASSENGER))
        frame = json.dumps({"type": "sync", "id": "1", "data": {}})
        await client.send(frame + " " * (size - len(frame)))
        assert (await client.find(lambda frame: frame.get("id") == "1"))["type"] == "ack"
        await client.send(frame + " " * (size + 1 - len(frame)))
        assert await client.closed_with() == 1009


async def test_write_buffer_follows_its_setting(small: ServerProcess, large: ServerProcess) -> None:
    """A client that reads late gets everything from a server that may keep it, and 1013 from one that may not."""
    count = 500  # 10 MB, more than the buffers of the system hold
    token = small.log_in(LATE_READER)
    user_id = jwt.decode(token, options={"verify_signature": False})["user_id"]
    with connect_raw(large, large.log_in(LATE_READER)) as patient, connect_raw(small, token) as hurried:
        await asyncio.to_thread(ask, patient, SMALL, count)
        await asyncio.to_thread(ask, hurried, SMALL, count)
        await asyncio.to_thread(small.wait_for, rf"(Disconnected\.).*{user_id}")  # after WS_WRITE_TIMEOUT
        assert close_code(await asyncio.to_thread(read_all, hurried)) == 1013
        patient.settimeout(TIMEOUT)
        answers, rest = 0, b""
        while answers < count:
            data = rest + await asyncio.to_thread(patient.recv, 65536)
            assert len(data) > len(rest), f"closed after {answers} answers"
            answers += data.count(b"INVALID_FORMAT")
            rest = data[-13:] if not data.endswith(b"INVALID_FORMAT") else b""
        assert is_open(patient)


async def test_frames_come_by_the_layer(large: ServerProcess) -> None:
    """Events, positions, a newer connection and a logout reach a socket at once, long before the next heartbeat."""
    tokens = large.log_in(DRIVER, driver=True), large.log_in(PASSENGER)
    driver, passenger = [await Client.connect(large.url, token) for token in tokens]
    await ride_to_pickup(driver, passenger)
    await driver.do("location_update", **PLACE)
    assert (await passenger.data_of("location_update"))["latitude"] == PLACE["latitude"]
    newer = await Client.connect(large.url, tokens[0])
    assert await driver.closed_with() == 4409
    await log_out(large, PASSENGER)
    assert await passenger.closed_with() == 4401
    await newer.hang_up()


async def log_out(server: ServerProcess, msisdn: str) -> None:
    """End all tokens of a user."""
    async with httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT) as rest:
        await rest.post("/api/auth/otp/", json={"msisdn": msisdn})
        pattern = rf"SMS to \{msisdn}: (\d{{6}})"
        code = await asyncio.to_thread(server.wait_for, pattern)
        session = (await rest.post("/api/auth/token/", json={"msisdn": msisdn, "otp": code})).json()
        assert (await rest.post("/api/auth/logout/", json={"refresh": session["refresh"]})).status_code == 204
