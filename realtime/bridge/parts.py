"""The parts of the bridge's work: with one shard it is one; with several each shard's deliveries are, and the relay.

For each part one process at a time holds a lease. Any process takes what is free, but no more than its share, so that
one process is enough and a second one makes it faster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil

import msgspec

from common.background_tasks import every
from common.redis import AWAY
from common.roll import present
from common.shards import shard_count
from realtime.bridge.lease import KEY, RELAY_KEY, Lease, LeaseLost

INTERVAL = 1.0
"""Seconds between two counts of the bridge processes."""


class Part(msgspec.Struct, frozen=True):
    """Delivers the stream of `shard`, relays the outbox, or both."""

    shard: int = 0
    delivers: bool = True
    relays: bool = True

    def lease(self, may_take: Callable[[], bool]) -> Lease:
        """Return the lease of whoever does this."""
        return Lease(KEY if self.delivers else RELAY_KEY, self.shard, may_take)


def parts() -> list[Part]:
    """Return the parts of the work."""
    if shard_count() == 1:
        return [Part()]
    return [Part(delivers=False), *(Part(shard, relays=False) for shard in range(shard_count()))]


class Share:
    """How many parts this process may have: an equal share of them, by the number of bridge processes on the roll."""

    def __init__(self) -> None:
        self.total = self.limit = len(parts())
        self.held: list[Part] = []
        """What it has, in the order in which it was taken."""

    def has_room(self) -> bool:
        """Return whether another part may be taken."""
        return len(self.held) < self.limit

    async def run(self) -> None:
        """Count the processes until cancelled. While they cannot be counted, what is free may be taken."""
        while True:
            try:
                self.limit = ceil(self.total / max(1, await present("bridge")))
            except AWAY:
                self.limit = self.total
            await asyncio.sleep(INTERVAL)

    async def keep(self, part: Part) -> None:
        """Return never, while `part` is within the share; raises `LeaseLost`. Of too many the newest one goes."""

        async def look() -> None:
            if part not in self.held[: self.limit]:
                raise LeaseLost("another bridge has room for it")

        await every(INTERVAL / 4, look)()
