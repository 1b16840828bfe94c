"""What a real server does with clients that do not behave."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
import time

import pytest

from devservers.web import ServerProcess
from tests.e2e.client import Client
from tests.e2e.conftest import StartServer
from tests.patience import TIMEOUT

pytestmark = pytest.mark.e2e


def text_frame(payload: bytes) -> bytes:
    """A masked text frame, the mask being zero."""
    assert len(payload) < 65536
    head = (
        struct.pack("!BB", 0x81, 0x80 | len(payload))
        if len(payload) < 126
        else struct.pack("!BBH", 0x81, 0x80 | 126, len(payload))
    )
    return head + b"\0\0\0\0" + payload


def connect_raw(server: ServerProcess, token: str) -> socket.socket:
    """A socket after the handshake, with a small window, from which nobody reads."""
    host, port = server.url.removeprefix("http://").split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect((host, int(port)))
    key = base64.b64encode(os.urandom(16)).decode()
    raw.sendall(
        f"GET /ws/ HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    assert raw.recv(12) == b"HTTP/1.1 101"
    return raw


def clog(raw: socket.socket, seconds: float, garbage: bytes = b"") -> bool:
    """Ask for answers without reading them; return whether the server has cut the connection.

    Once it takes no more, send `garbage`.
    """
    question = text_frame(json.dumps({"type": "x" * 400, "data": {}}).encode()) * 50
    raw.settimeout(0.2)
    rest = question
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            rest = rest[raw.send(rest) :] or question
        except TimeoutError:
            rest = garbage or rest
        except OSError:
            return True
    return False


@pytest.mark.parametrize("garbage", [b"", b"\xff" * 1000], ids=["polite", "rude"])
async def test_clogged_clients_are_cut(start_server: StartServer, garbage: bytes) -> None:
    """A client that does not read is cut off, and others are answered meanwhile."""
    server = start_server(WS_WRITE_TIMEOUT="1s")
    clogged = connect_raw(server, server.log_in("+6281200000003"))
    other = await Client.connect(server.url, server.log_in("+6281200000004"))
    task = asyncio.to_thread(clog, clogged, TIMEOUT, garbage)
    (was_cut, answer) = await asyncio.gather(task, other.do("sync"))
    assert was_cut
    assert answer["type"] == "ack"
    clogged.close()
    await other.hang_up()


def test_clogged_clients_do_not_delay_stops(start_server: StartServer) -> None:
    """A client that does not read does not keep the server from stopping."""
    server = start_server(WS_WRITE_TIMEOUT="1h")
    clogged = connect_raw(server, server.log_in("+6281200000003"))
    assert not clog(clogged, 2)
    server.stop()  # raises where that takes longer than a test waits
    clogged.close()
