"""Logging simulated people in, over REST like everybody else.

Their codes do not go out as messages: the simulation makes them itself, in the database that it shares with the server,
so it runs on the server's machine and with its settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from common.threads import in_write_thread
from nebengjek_client import Login, RateLimited, Rest, Tokens
from users.codes import code_create

TRIES = 5


async def log_in(rest: Rest, msisdn: str, *, driver: bool) -> Tokens:
    """Return the tokens of a number, whose owner is registered as a driver where that is wanted.

    Raises `NebengJekError`.
    """
    code = await in_write_thread(code_create, msisdn=msisdn, limit=0)
    login = await _patiently(lambda: rest.log_in(msisdn, code))
    if driver and login["user"]["role"] != "driver":
        plate = f"B {msisdn[-4:]} SIM"
        login = await _patiently(lambda: rest.register_driver(vehicle_type="motorcycle", vehicle_plate=plate))
    return Tokens(login["access"], login["refresh"])


async def _patiently(call: Callable[[], Awaitable[Login]]) -> Login:
    """Call again after `retry_after` while the server answers RATE_LIMIT."""
    for _ in range(TRIES - 1):
        try:
            return await call()
        except RateLimited as exc:
            await asyncio.sleep(exc.retry_after or 1)
    return await call()
