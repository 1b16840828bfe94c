"""The connections of this process."""

from __future__ import annotations

import contextlib
import logging
import random
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime.consumers import UserConsumer

logger = logging.getLogger(__name__)

RECONNECT_SPREAD = 5.0
"""Seconds over which clients come back after a restart, so that they do not all come at once."""


class Connections:
    """Who is connected here; used from the event loop only."""

    def __init__(self) -> None:
        self._live: set[UserConsumer] = set()

    def __len__(self) -> int:
        return len(self._live)

    def add(self, consumer: UserConsumer) -> None:
        """Note a new connection."""
        self._live.add(consumer)

    def remove(self, consumer: UserConsumer) -> None:
        """Note the end of a connection."""
        self._live.discard(consumer)

    def by_role(self) -> Counter[str]:
        """Count the connections of each role."""
        return Counter(consumer.role for consumer in self._live)

    async def heartbeat(self) -> None:
        """Let every connection see whether it missed something."""
        for consumer in tuple(self._live):
            try:
                await consumer.heartbeat()
            except Exception:
                logger.exception("The heartbeat of connection %s failed.", consumer.connection_id)

    async def announce_restart(self) -> None:
        """Tell every client that the server restarts, and when to come back."""
        for consumer in tuple(self._live):
            with contextlib.suppress(Exception):
                await consumer.announce_restart(round(random.uniform(0, RECONNECT_SPREAD), 1))  # noqa: S311


connections = Connections()
