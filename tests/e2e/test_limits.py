"""Time-outs, buffers and limits of the socket, each seen from outside on a real server."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import struct
from contextlib import closing
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bench.process import memory_mb
from tests.e2e.client import PLACE, Client
from tests.e2e.conftest import StartServer
from tests.e2e.test_uvicorn_server import connect_raw, text_frame
from tests.patience import TIMEOUT, until_true

pytestmark = pytest.mark.e2e
SECRETS = {
    "SECRET_KEY": "a secret of somebody's own, long enough",
    "JWT_SECRET": "and another one, just as long as it",
}
"""Without secrets of its own a server refuses clients of other machines, also behind a proxy."""
PASSENGER, OTHER = "+6281200000003", "+6281200000004"


def read_all(raw: socket.socket) -> bytes:
    """Read until the other side ends the connection."""
    raw.settimeout(TIMEOUT)
    data = b""
    try:
        while chunk := raw.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def close_code(data: bytes) -> int:
    """Return the code of the closing frame at the end of what a server has sent."""
    assert data[-4:-2] == b"\x88\x02", data[-40:]
    return int(struct.unpack("!H", data[-2:])[0])


@pytest.mark.parametrize("beginning", [b"", b"GET /ws/ HTTP/1.1\r\nHost: x\r\nUpgrade: websock"])
def test_unfinished_handshakes_get_408(start_server: StartServer, beginning: bytes) -> None:
    """A handshake that is not finished within WS_HANDSHAKE_TIMEOUT is answered with 408."""
    server = start_server(WS_HANDSHAKE_TIMEOUT="500ms")
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(beginning)
        assert read_all(raw).startswith(b"HTTP/1.1 408 ")


async def test_silent_clients_are_closed(start_server: StartServer) -> None:
    """A client that answers no ping is closed with 4408; one that does stays."""
    server = start_server(WS_PING_PERIOD="200ms", WS_READ_TIMEOUT="3s")
    answers = await Client.connect(server.url, server.log_in("+6281200000004"))
    silent = connect_raw(server, server.log_in(PASSENGER))
    data = await asyncio.to_thread(read_all, silent)
    assert close_code(data) == 4408
    assert data.count(b"\x89\x04") >= 3  # pings
    silent.close()
    assert (await answers.do("sync"))["type"] == "ack"
    await answers.hang_up()


def test_a_late_reader_finds_1013(start_server: StartServer) -> None:
    """A client that reads nothing for WS_WRITE_TIMEOUT is closed with 1013, which it finds when it reads again."""
    server = start_server(WS_WRITE_TIMEOUT="500ms", WS_READ_TIMEOUT="10m")
    raw = connect_raw(server, server.log_in(PASSENGER))

    def is_given_up() -> bool:
        flood(raw, {"type": "x" * 400, "data": {}}, quiet=0.2)  # asks and reads nothing
        return "Disconnected." in "".join(server.output)

    until_true(is_given_up)
    assert close_code(read_all(raw)) == 1013
    raw.close()


async def test_floods_of_commands_are_closed(start_server: StartServer) -> None:
    """After WS_FLOOD_TOLERANCE refusals with RATE_LIMIT the socket is closed with 4429."""
    server = start_server(WS_COMMAND_RATE="1", WS_COMMAND_BURST="2", WS_FLOOD_TOLERANCE="5")
    client = await Client.connect(server.url, server.log_in(PASSENGER))
    for number in range(20):
        await client.say("nonsense" if number % 2 else "sync")
    assert await client.closed_with() == 4429
    errors = [frame["data"]["code"] for frame in client.frames if frame["type"] == "error"]
    assert errors == ["INVALID_FORMAT", *["RATE_LIMIT"] * 5]
    refusal = [frame["data"] for frame in client.frames if frame["type"] == "error"][-1]
    assert 0 < refusal["retry_after"] <= 1


async def test_positions_have_their_own_limit(start_server: StartServer) -> None:
    """Positions beyond their limit are refused without using up the limit of commands."""
    server = start_server(WS_COMMAND_RATE="1", WS_COMMAND_BURST="1", WS_LOCATION_RATE="1")
    client = await Client.connect(server.url, server.log_in(PASSENGER))
    for number in range(120):
        await client.say("location_update", str(number), **PLACE)
    last = await client.find(lambda frame: frame.get("id") == "119")
    assert (last["type"], last["data"]["code"]) == ("error", "RATE_LIMIT")
    assert sum(frame["type"] == "ack" for frame in client.frames) >= 100
    assert (await client.do("sync"))["type"] == "ack"
    await client.hang_up()


async def test_connects_count_by_user_or_address(start_server: StartServer) -> None:
    """A person is limited wherever they come from, and strangers by address; nobody is for their neighbours."""
    server = start_server(WS_CONNECT_RATE="2", TRUSTED_PROXIES="127.0.0.1", **SECRETS)
    token, other = server.log_in(PASSENGER), server.log_in(OTHER)
    url = server.url.replace("http", "ws", 1) + "/ws/"

    async def attempt(address: str, bearer: str = token) -> int:
        headers = {"Authorization": f"Bearer {bearer}", "X-Forwarded-For": address}
        try:
            async with connect(url, additional_headers=headers):
                return 101
        except InvalidStatus as exc:
            if exc.response.status_code == 429:
                assert 0 < int(exc.response.headers["Retry-After"]) <= 30
                assert b'"code":"RATE_LIMIT"' in exc.response.body
            return exc.response.status_code

    assert [await attempt("192.0.2.1", "bad") for _ in range(3)] == [401, 401, 429]
    assert await attempt("192.0.2.2", "bad") == 401
    assert [await attempt("192.0.2.1"), await attempt("192.0.2.3"), await attempt("192.0.2.4")] == [101, 101, 429]
    assert await attempt("192.0.2.1", other) == 101


POSITION = {"type": "location_update", "data": PLACE}


def flood(raw: socket.socket, frame: dict[str, Any], quiet: float = 2.0) -> int:
    """Send a frame again and again until nothing was taken for so long; return how many bytes were."""
    frames = text_frame(json.dumps(frame).encode()) * 1000
    raw.settimeout(quiet)
    sent = 0
    while sent < 100_000_000:
        try:
            sent += raw.send(frames[sent % len(frames) :])
        except OSError:  # it takes no more, or has closed the connection
            break
    return sent


async def test_floods_are_slowed_by_tcp(start_server: StartServer) -> None:
    """While the database is locked, TCP holds a flood back in bounded memory; then all of it is served."""
    server = start_server(WS_READ_BUFFER_SIZE="1024", WS_LOCATION_RATE="0", WS_READ_TIMEOUT="10m")
    token = server.log_in(PASSENGER)
    raw = connect_raw(server, token)
    assert server.process
    before = memory_mb(server.process.pid)
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # the first command waits, and all behind it
        raw.sendall(text_frame(json.dumps({"type": "finder_update", "id": "1", "data": {"is_active": False}}).encode()))
        sent = await asyncio.to_thread(flood, raw, POSITION)
        assert sent < 20_000_000  # what the buffers of both systems hold, and no more
        assert memory_mb(server.process.pid) < before + 5
        other.execute("ROLLBACK")
    # All of it is served: the rest of the last frame, and a question behind it.
    frames = text_frame(json.dumps(POSITION).encode()) * 1000
    question = text_frame(json.dumps({"type": "sync", "id": "2", "data": {}}).encode())
    rest = frames[sent % len(frames) :] + question
    raw.settimeout(TIMEOUT)
    await asyncio.to_thread(raw.sendall, rest)
    data = b""
    while b'"id":"2"' not in data:
        data = data[-100:] + await asyncio.to_thread(raw.recv, 65536)
    raw.close()
