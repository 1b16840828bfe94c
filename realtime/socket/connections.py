"""The connections of this process."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from typing import NamedTuple, Protocol

from django.conf import settings

from common.process import process
from common.shards import by_shard
from common.threads import in_read_thread
from common.unavailable import redis_away
from realtime import metrics
from realtime.delivery.history import history
from users.presence import Presence, presence
from users.tokens import token_versions

CHECK_BATCH = 500
"""Users whose tokens are checked by one query."""

HEARTBEAT_BATCH = 1000
"""Connections that are noted and compared by one call to each store."""

GONE_MIN, GONE_PART = 1000, 0.25
"""So many connections, and such a part of those that live, end before all garbage is collected: each is full of cycles,
27 kB in all, and Python counts objects, not what they hold (see `common.garbage`)."""

ON_THE_WAY = 0.25
"""Part of `WS_HEARTBEAT` that a notification may be on its way to a connection before it counts as lost."""


class Beat(NamedTuple):
    """What the stores know of a user: their newest session, and the end of their stream."""

    newest: int
    epoch: str
    head: int


class Connection(Protocol):
    """What a connection is to those who look after all of them; hashable by identity."""

    presence: Presence

    @property
    def restarting(self) -> bool:
        """Whether the client knows that the server restarts."""

    def silence(self) -> float:
        """Return for how many seconds nothing came from the client."""

    def is_behind(self, epoch: str, head: int) -> bool:
        """Whether the user's stream, which ends at this place, has something that was not forwarded."""

    async def heartbeat(self, beat: Beat) -> None:
        """Compare the user's newest session, and the end of their stream, with what this connection knows."""

    async def notice_version(self, version: int) -> None:
        """Compare the user's current token version with that of the token in use."""

    async def restart(self, reconnect_after: float) -> None:
        """Tell the client when to come back (seconds), and close."""


class Connections:
    """Who is connected here; used from the event loop only."""

    def __init__(self) -> None:
        self._live: dict[Connection, None] = {}  # in the order in which they came
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._gone = 0  # since their garbage was collected

    def __len__(self) -> int:
        return len(self._live)

    def add(self, connection: Connection) -> None:
        """Look after a new connection."""
        metrics.joined(connection.presence.role)
        self._nobody.clear()
        self._live[connection] = None

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        if connection in self._live:
            del self._live[connection]
            metrics.left(connection.presence.role)
            self._gone += 1
        if self._gone > max(GONE_MIN, len(self._live) * GONE_PART):
            self._gone = 0
            gc.collect()
        if not self._live:
            self._nobody.set()

    async def wait_until_all_have_gone(self) -> None:
        """Wait for the end of the last connection."""
        await self._nobody.wait()

    async def heartbeat(self) -> None:
        """Note every connection again, and let each see whether it missed something; one shard after the other.

        What is newer than what they have may only be on its way, as that of thousands is in a burst: it is given time.
        """
        failed: Exception | None = None
        beats: list[tuple[Connection, Beat]] = []
        for live in by_shard(self._live, lambda connection: connection.presence.user_id).values():
            try:
                for start in range(0, len(live), HEARTBEAT_BATCH):
                    beats += await self._beat(live[start : start + HEARTBEAT_BATCH])
            except redis_away() as exc:  # of one shard: those of others are there
                failed = exc
        if any(connection.is_behind(beat.epoch, beat.head) for connection, beat in beats):
            await asyncio.sleep(settings.WS_HEARTBEAT.total_seconds() * ON_THE_WAY)
        for connection, beat in beats:
            await connection.heartbeat(beat)
        if failed is not None:
            raise failed

    async def _beat(self, batch: list[Connection]) -> list[tuple[Connection, Beat]]:
        now = time.time()
        for connection in batch:
            connection.presence.heard, connection.presence.noted = now - connection.silence(), now
        records = [connection.presence for connection in batch]
        sessions = await presence().beat(records)
        epoch, heads = await history().heads([record.user_id for record in records])
        beats = [Beat(newest, epoch, head) for newest, head in zip(sessions, heads, strict=True)]
        return list(zip(batch, beats, strict=True))

    async def check_tokens(self) -> None:
        """Let connections end whose user was deactivated or whose token was revoked, where that news got lost."""
        by_user = {connection.presence.user_id: connection for connection in tuple(self._live)}
        user_ids = list(by_user)
        for start in range(0, len(user_ids), CHECK_BATCH):
            versions = await in_read_thread(token_versions, user_ids[start : start + CHECK_BATCH])
            for user_id, version in versions.items():
                await by_user[user_id].notice_version(version)

    def not_told(self, count: int) -> list[Connection]:
        """Return some that do not know yet that the server restarts."""
        return list(itertools.islice((one for one in self._live if not one.restarting), count))


def connections() -> Connections:
    """Return the connections of this process."""
    return process.one(Connections, Connections)
