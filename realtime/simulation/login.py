"""Logging simulated people in, over REST like everybody else.

Their codes do not go out as messages: the simulation makes them itself, in the database that it shares with the server,
so it runs on the server's machine and with its settings.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from nebengjek.threads import in_write_thread
from users.codes import code_create

TRIES = 5


class LoginFailed(Exception):
    """The server did not let a simulated person in; the message says why."""


async def log_in(client: httpx.AsyncClient, msisdn: str, *, driver: bool) -> str:
    """Return an access token for a number, whose owner is registered as a driver where that is wanted."""
    code = await in_write_thread(code_create, msisdn=msisdn, limit=0)
    session = await _post(client, "/api/auth/token/", {"msisdn": msisdn, "otp": code})
    if driver and session["user"]["role"] != "driver":
        vehicle = {"vehicle_type": "motorcycle", "vehicle_plate": f"B {msisdn[-4:]} SIM"}
        session = await _post(client, "/api/drivers/", vehicle, session["access"])
    return str(session["access"])


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, str], token: str = "") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for _ in range(TRIES):
        answer = await client.post(path, json=body, headers=headers)
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            break
        await asyncio.sleep(float(answer.headers["Retry-After"]))
    if not answer.is_success:
        raise LoginFailed(f"{path} answered {answer.status_code}: {answer.text[:200]}")
    result: dict[str, Any] = answer.json()
    return result
