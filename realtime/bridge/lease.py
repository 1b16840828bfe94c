"""The lease in Redis that makes one bridge the active one; with several shards, one for each part of its work."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from common.errors import brief
from common.redis import AWAY, PREFIX, Script
from common.retrying import Repetition, retry_while
from realtime.delivery.fence import Fence, NotActive

logger = logging.getLogger(__name__)

KEY = f"{PREFIX}bridge:lease"
RELAY_KEY = f"{PREFIX}bridge:relay-lease"
"""Of whoever relays the outbox, where that is not the one who delivers."""

_RENEW = Script(Path(__file__).with_name("renew_lease.lua"))
_RELEASE = Script(Path(__file__).with_name("release_lease.lua"))


class LeaseLost(NotActive):
    """Another process holds the lease now, or may hold it."""


class Lease:
    """The right to be the active bridge, for `BRIDGE_LEASE` at a time.

    `token` is this holder's own. A delivery counts only while the lease has it (see `Fence`), so a process that was
    suspended for longer than the lease, and did not notice, delivers nothing. The lease is in the Redis of its `shard`.
    It is not waited for while `may_take` says no: other processes are to have it.
    """

    def __init__(self, key: str = KEY, shard: int = 0, may_take: Callable[[], bool] = lambda: True) -> None:
        self.key, self.shard = key, shard
        self._may_take = may_take
        self.token = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"
        self._period: float = settings.BRIDGE_LEASE.total_seconds()

    def fence(self, position_key: str, position: int | None = None) -> Fence:
        """Return the condition under which this holder may deliver."""
        return Fence(self.key, self.token, position_key, position, self.shard)

    async def try_take(self) -> bool:
        """Take or renew the lease; return False where another process has it. Raises what Redis raises."""
        return bool(await _RENEW(keys=[self.key], args=[self.token, int(self._period * 1000)], shard=self.shard))

    async def renew(self) -> None:
        """Renew the lease; raise `LeaseLost` where another process has it."""
        if not await self.try_take():
            raise LeaseLost("another bridge has taken over")

    async def wait_for(self) -> bool:
        """Return True when the lease is ours."""
        repetition, delay = Repetition(), self._period / 6
        while not self._may_take() or not await retry_while(AWAY, self.try_take, log=_log_unreachable, delay=delay):
            if repetition.is_new("standing by"):
                logger.info("Standing by: another bridge is active.")
            await asyncio.sleep(delay)
        return True

    async def keep(self) -> None:
        """Renew the lease until cancelled; raises `LeaseLost` when it is gone."""
        while True:
            await asyncio.sleep(self._period / 4)
            # Without Redis nobody can take the lease, and nothing can be delivered: hold on.
            await retry_while(AWAY, self.renew, log=_log_not_renewed, delay=self._period / 4)

    async def release(self) -> None:
        """Let another process have the lease at once."""
        try:
            await _RELEASE(keys=[self.key], args=[self.token], shard=self.shard)
        except AWAY as exc:
            logger.info("The lease was not released and ends by itself: %s", brief(exc))


def _log_unreachable(reason: str) -> None:
    logger.warning("Redis is unreachable, retrying: %s", reason)


def _log_not_renewed(reason: str) -> None:
    logger.warning("The lease could not be renewed: %s", reason)
