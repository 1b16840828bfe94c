"""One at a time: a lease in Redis."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket

from django.conf import settings

from common.errors import brief
from common.redis import AWAY, PREFIX, async_redis

logger = logging.getLogger(__name__)

KEY = f"{PREFIX}bridge:lease"

_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
"""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class LeaseLost(Exception):
    """Another process holds the lease now, or may hold it."""


class Lease:
    """The right to be the active bridge, for `BRIDGE_LEASE` at a time.

    `token` is this holder's own: what is delivered under it counts only while the lease has it (see `Fence`), so a
    process that was stopped for a while and did not notice does no harm.
    """

    def __init__(self) -> None:
        self.token = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"
        self._period: float = settings.BRIDGE_LEASE.total_seconds()

    async def try_take(self) -> bool:
        """Take or renew the lease; return False where another process has it. Raises what Redis raises."""
        script = async_redis().register_script(_RENEW)
        return bool(await script(keys=[KEY], args=[self.token, int(self._period * 1000)]))

    async def wait_for(self) -> None:
        """Return when the lease is ours."""
        said = False
        while not await self._try_calmly():
            if not said:
                logger.info("Standing by: another bridge is active.")
                said = True
            await asyncio.sleep(self._period / 6)

    async def keep(self) -> None:
        """Renew the lease for ever; raise `LeaseLost` when it is gone, or could not be renewed in time."""
        loop = asyncio.get_running_loop()
        renewed_at = loop.time()
        while True:
            await asyncio.sleep(self._period / 4)
            asked_at = loop.time()
            try:
                if not await self.try_take():
                    raise LeaseLost("another bridge has taken over")
                renewed_at = asked_at
            except AWAY as exc:
                # Without Redis nobody can take the lease, and nothing can be delivered: hold on.
                logger.warning("The lease of %.1f s ago could not be renewed: %s", loop.time() - renewed_at, brief(exc))

    async def release(self) -> None:
        """Let another process have the lease at once."""
        try:
            await async_redis().register_script(_RELEASE)(keys=[KEY], args=[self.token])
        except AWAY:
            logger.info("The lease ends by itself.")

    async def _try_calmly(self) -> bool:
        try:
            return await self.try_take()
        except AWAY as exc:
            logger.warning("Redis cannot be reached, trying on: %s", brief(exc))
            return False
