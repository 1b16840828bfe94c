"""What the parts of an active bridge share while it holds the lease."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from nats.aio.client import Client

from realtime.bridge.counts import Counts
from realtime.bridge.lease import Lease
from realtime.bridge.position import Position
from realtime.bridge.watchdog import Watchdog
from realtime.delivery.fence import Fence


@dataclass(frozen=True)
class Turn:
    """One turn as the active bridge, over one connection to NATS; `stopping` is set when it is to end."""

    client: Client
    lease: Lease
    position: Position
    counts: Counts
    watchdog: Watchdog
    stopping: asyncio.Event

    @property
    def shard(self) -> int:
        """The shard whose users are delivered to."""
        return self.lease.shard

    def fence(self, position: int | None = None) -> Fence:
        """Return the condition of a delivery in this turn, and the position that it reaches."""
        return self.lease.fence(self.position.key, position)
