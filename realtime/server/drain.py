"""How a server that stops closes its sockets: in stages, within a set time.

1. `/health/ready` says 503 for `SHUTDOWN_NOTICE`, so that a proxy sends no new clients here; everything still works.
2. The server stops listening: no new sockets.
3. Each socket gets `server_restarting` with its own `reconnect_after`, and is closed with 1012, some at a
   time, over `SHUTDOWN_SPREAD` at most; a command under way is finished and answered first.
4. What has not ended `SHUTDOWN_TIMEOUT` after the second stage is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time

from django.conf import settings

from common.process import process
from realtime.socket.connections import Connections, connections

logger = logging.getLogger(__name__)

BATCH = 100
"""Sockets that are closed at once where there are few."""

PAUSE = 0.25
"""Seconds between two batches, on average."""

TELL_TIMEOUT = 1.0
"""Seconds for the notices of a batch; a client that does not read is cut off at the end."""

RECONNECT_SPREAD = 5.0
"""Seconds over which the clients of a batch come back, so that they do not all come at once."""


class Drain:
    """The end of one server."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.has_begun = False

    async def give_notice(self) -> None:
        """Let `/health/ready` answer 503, and wait until a proxy has noticed."""
        self.has_begun = True
        if notice := settings.SHUTDOWN_NOTICE.total_seconds():
            logger.info("Stopping: not ready for %g s, then closing %d sockets.", notice, len(self._connections))
            await asyncio.sleep(notice)

    async def close_all(self) -> float:
        """Close all sockets; return how many seconds of `SHUTDOWN_TIMEOUT` are left, at least none."""
        deadline = time.monotonic() + settings.SHUTDOWN_TIMEOUT.total_seconds()
        size = batch_size(len(self._connections))
        while (batch := self._connections.not_told(size)) and time.monotonic() < deadline:
            notices = [one.restart(random.uniform(0, RECONNECT_SPREAD)) for one in batch]  # noqa: S311
            try:
                async with asyncio.timeout(TELL_TIMEOUT):
                    await asyncio.gather(*notices, return_exceptions=True)
            except TimeoutError:
                logger.info("Some clients do not read that the server restarts.")
            if self._connections.not_told(1):
                await asyncio.sleep(PAUSE * random.uniform(0.5, 1.5))  # noqa: S311
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self._connections.wait_until_all_have_gone()
        return max(0.0, deadline - time.monotonic())


def batch_size(count: int) -> int:
    """Return how many sockets to close at once, so that all are closed within `SHUTDOWN_SPREAD`."""
    return max(BATCH, math.ceil(count * PAUSE / settings.SHUTDOWN_SPREAD.total_seconds()))


def drain() -> Drain:
    """Return the drain of this process."""
    return process.one(Drain, lambda: Drain(connections()))
