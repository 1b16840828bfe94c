"""The connections of this process."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING

from nebengjek.threads import in_read_thread
from realtime.history import history
from realtime.sessions import sessions
from rides.positions import positions
from users.tokens import token_versions

if TYPE_CHECKING:
    from realtime.consumers import UserConsumer

CHECK_BATCH = 500
"""Users whose tokens are looked at with one query."""

HEARTBEAT_BATCH = 1000
"""Connections looked after with one question to the stores."""

ANNOUNCE_TIMEOUT = 1.0
"""Seconds for telling all clients of a restart."""

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

    async def heartbeat(self) -> None:
        """Let every connection see whether it missed something, and its user be seen as connected."""
        consumers = list(self._live)
        positions().keep_online({consumer.user_id: consumer.session for consumer in consumers})
        for start in range(0, len(consumers), HEARTBEAT_BATCH):
            batch = consumers[start : start + HEARTBEAT_BATCH]
            user_ids = [consumer.user_id for consumer in batch]
            sessions_now = await sessions().newest(user_ids)
            epoch, heads = await history().heads(user_ids)
            for consumer, newest, head in zip(batch, sessions_now, heads, strict=True):
                await consumer.heartbeat(newest=newest, epoch=epoch, head=head)

    async def check_tokens(self) -> None:
        """Let those connections end whose user was shut out or whose token was revoked, if nobody has told them."""
        by_user = {consumer.user_id: consumer for consumer in tuple(self._live)}
        user_ids = list(by_user)
        for start in range(0, len(user_ids), CHECK_BATCH):
            versions = await in_read_thread(token_versions, user_ids[start : start + CHECK_BATCH])
            for user_id, version in versions.items():
                await by_user[user_id].notice_version(version)

    async def announce_restart(self) -> None:
        """Tell every client that the server restarts, and when to come back; wait for none that does not read."""
        told = [consumer.announce_restart(random.uniform(0, RECONNECT_SPREAD)) for consumer in self._live]  # noqa: S311
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANNOUNCE_TIMEOUT):
                await asyncio.gather(*told, return_exceptions=True)


connections = Connections()
