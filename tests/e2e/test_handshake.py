"""Handshakes on a real server: what is refused gets an HTTP answer, and no socket."""

from __future__ import annotations

import base64
import os

import httpx
import pytest

from devservers.web import ServerProcess
from tests.e2e.client import Client
from tests.patience import TIMEOUT

pytestmark = pytest.mark.e2e


def shake_hands(server: ServerProcess, path: str = "/ws/", **headers: str) -> httpx.Response:
    """Ask for an upgrade, and return the answer to it."""
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    return httpx.get(server.url + path, headers={**upgrade, **headers}, timeout=TIMEOUT)


def test_refusals_come_before_the_upgrade(server: ServerProcess) -> None:
    """A handshake that is refused gets 401, 403 or 404 and no socket."""
    body = {"code": "UNAUTHORIZED", "message": "Authentication required"}
    for headers in ({}, {"Authorization": "Bearer x"}, {"Sec-WebSocket-Protocol": "bearer, x"}):
        answer = shake_hands(server, **headers)
        assert (answer.status_code, answer.json()) == (401, body)
        assert answer.headers["content-type"] == "application/json"
    assert shake_hands(server, Origin="https://evil.example").status_code == 403
    assert shake_hands(server, "/nothing/").status_code == 404
    assert "ERROR" not in "".join(server.output)


async def test_close_codes_arrive(server: ServerProcess) -> None:
    """Clients see 4409 when replaced, 1009 for a message that is too large and 1012 at a restart."""
    token = server.log_in("+6281200000003")
    first = await Client.connect(server.url, token)
    await first.data_of("session_ready")
    second = await Client.connect(server.url, token)
    await second.data_of("session_ready")
    assert await first.closed_with() == 4409
    await second.send("x" * 513)
    assert await second.closed_with() == 1009
    third = await Client.connect(server.url, token)
    await third.data_of("session_ready")
    assert server.stop() in (0, -15)
    restarting = await third.data_of("server_restarting")
    assert 0 <= restarting["reconnect_after"] <= 5
    assert await third.closed_with() == 1012
