"""Work that hangs: a bridge that makes no progress must let another one try.

The lease is renewed by a task that knows nothing of the database; without this a bridge whose database connection is
dead would keep the lease for as long as the connection lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from realtime.delivery.fence import NotActive

STALL_LIMIT = 2.0
"""Lease periods (`BRIDGE_LEASE`) that one step of the work may take: 6 s by default."""


class Stalled(NotActive):
    """A step of the work has taken too long; what it waits for is not known to be unavailable for other bridges."""


class Watchdog:
    """Measures steps of work: each is one wait for the database, or one batch with its retries."""

    def __init__(self) -> None:
        self.limit: float = STALL_LIMIT * settings.BRIDGE_LEASE.total_seconds()
        self._began: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step, from here to the end of the block or to the next `progress`."""
        self.progress(name)
        try:
            yield
        finally:
            del self._began[name]

    def progress(self, name: str) -> None:
        """Note that a step has come further."""
        self._began[name] = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Watch until cancelled; raises `Stalled`."""
        while True:
            await asyncio.sleep(self.limit / 10)
            oldest = asyncio.get_running_loop().time() - self.limit
            for name, began in self._began.items():
                if began < oldest:
                    raise Stalled(f"{name} makes no progress for {self.limit:g} s")
