"""Tokens that end while their sockets are open, on another process than the one that was told."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from devservers.topology import Topology
from devservers.web import ServerProcess
from tests.e2e.client import Client
from tests.patience import TIMEOUT
from tests.tokens import make_token

pytestmark = pytest.mark.e2e
NUMBER = "+6281200000005"


@pytest.fixture
async def rest(topology: Topology) -> AsyncIterator[httpx.AsyncClient]:
    """REST on the first web process; the sockets are on the second."""
    async with httpx.AsyncClient(base_url=topology.webs[0].url, timeout=TIMEOUT) as client:
        yield client


async def log_in(rest: httpx.AsyncClient, server: ServerProcess, number: str = NUMBER) -> dict[str, Any]:
    """Return a pair of tokens, with a code from the console."""
    await rest.post("/api/auth/otp/", json={"msisdn": number})
    code = await asyncio.to_thread(server.wait_for, rf"SMS to {re.escape(number)}: (\d{{6}})")
    session: dict[str, Any] = (await rest.post("/api/auth/token/", json={"msisdn": number, "otp": code})).json()
    return session


async def open_elsewhere(topology: Topology, token: str) -> Client:
    """Open a socket on the process that REST does not talk to."""
    socket = await Client.connect(topology.webs[1].url, token)
    await socket.data_of("session_ready")
    return socket


def ends(token: str, seconds: float) -> str:
    """Return the token as if it ended so soon."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return make_token({**claims, "exp": time.time() + seconds})


async def test_a_new_role_ends_old_sockets(topology: Topology, rest: httpx.AsyncClient) -> None:
    """Registering as a driver closes the sockets of the passenger with 4401."""
    token = (await log_in(rest, topology.webs[0], "+6281200000006"))["access"]
    socket = await open_elsewhere(topology, token)
    vehicle = {"vehicle_type": "motorcycle", "vehicle_plate": "B 1234 XYZ"}
    made = await rest.post("/api/drivers/", json=vehicle, headers={"Authorization": f"Bearer {token}"})
    assert made.status_code == 201
    assert await socket.closed_with() == 4401
    driver = await open_elsewhere(topology, made.json()["access"])
    await driver.hang_up()


async def test_deactivation_ends_sockets(topology: Topology, rest: httpx.AsyncClient) -> None:
    """Deactivating a user closes their sockets with 4401."""
    session = await log_in(rest, topology.webs[0], "+6281200000007")
    socket = await open_elsewhere(topology, session["access"])
    await _deactivate(topology, session["user"]["id"])
    assert await socket.closed_with() == 4401


async def test_sockets_end_with_their_token(topology: Topology, rest: httpx.AsyncClient) -> None:
    """A socket is warned and closed at the end of its token; a fresh token keeps it open."""
    session = await log_in(rest, topology.webs[0])
    socket = await open_elsewhere(topology, ends(session["access"], 3))
    assert "expires_at" in await socket.data_of("token_expiring")
    fresh = (await rest.post("/api/auth/refresh/", json={"refresh": session["refresh"]})).json()["access"]
    assert (await socket.do("token_refresh", token=ends(fresh, 6)))["type"] == "ack"
    await asyncio.sleep(4)
    assert (await socket.do("sync"))["type"] == "ack"  # the first would have ended by now
    assert await socket.closed_with() == 4401


async def test_revocations_are_noticed_without_announcement(topology: Topology, rest: httpx.AsyncClient) -> None:
    """Without a bridge to announce it, sockets of revoked tokens end at the next check."""
    sessions = [await log_in(rest, topology.webs[0], number) for number in ("+6281200000008", "+6281200000009")]
    deactivated, logged_out = [await open_elsewhere(topology, session["access"]) for session in sessions]
    assert topology.bridges[0].stop() == 0  # who would tell the sockets
    await _deactivate(topology, sessions[0]["user"]["id"])
    assert (await rest.post("/api/auth/logout/", json={"refresh": sessions[1]["refresh"]})).status_code == 204
    assert await deactivated.closed_with() == 4401
    assert await logged_out.closed_with() == 4401
    topology.bridges[0].launch()


async def _deactivate(topology: Topology, user_id: str) -> None:
    code = f"from users.services import user_deactivate; assert user_deactivate(user_id='{user_id}')"
    done = await asyncio.to_thread(topology.webs[0].manage, "shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
