"""Forgetting the numbers of users who have had no notification for days, a few at a time.

The active bridge does it, which also gives out the numbers: one of the version before would give them out again.
"""

from __future__ import annotations

from common.background_tasks import every
from realtime.delivery.history.redis import forget_idle

INTERVAL = 1.0
"""Seconds between two looks at some hundred users: a million are looked at in three hours."""


class Forgetting:
    """Goes through all users of a shard again and again."""

    def __init__(self, shard: int) -> None:
        self._shard, self._cursor = shard, "0"

    async def run(self) -> None:
        """Forget until cancelled."""
        await every(INTERVAL, self.step)()

    async def step(self) -> None:
        """Look at the next users."""
        self._cursor = await forget_idle(self._cursor, shard=self._shard)
