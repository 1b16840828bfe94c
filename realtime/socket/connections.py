"""The connections of this process."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING

from common.threads import in_read_thread
from realtime import metrics
from realtime.delivery.history import history
from realtime.socket.presence import REFRESH, Presence, heard_at, presence, presence_of
from realtime.socket.sessions import sessions
from rides.positions import positions
from users.tokens import token_versions

if TYPE_CHECKING:
    from realtime.socket.consumer import UserConsumer

CHECK_BATCH = 500
"""Users whose tokens are looked at with one query."""

HEARTBEAT_BATCH = 1000
"""Connections looked after with one question to the stores."""


class Connections:
    """Who is connected here; used from the event loop only."""

    def __init__(self) -> None:
        self._live: dict[UserConsumer, Presence] = {}
        self._nobody = asyncio.Event()
        self._nobody.set()

    def __len__(self) -> int:
        return len(self._live)

    def add(self, consumer: UserConsumer) -> None:
        """Note a new connection."""
        metrics.joined(consumer.role)
        self._nobody.clear()
        self._live[consumer] = here = presence_of(
            consumer.connection_id, consumer.user_id, consumer.role, consumer.scope
        )
        presence().note([here])

    def remove(self, consumer: UserConsumer) -> None:
        """Note the end of a connection."""
        if self._live.pop(consumer, None) is not None:
            metrics.left(consumer.role)
            presence().forget(consumer.connection_id)
        if not self._live:
            self._nobody.set()

    async def wait_until_all_have_gone(self) -> None:
        """Wait for the end of the last connection."""
        await self._nobody.wait()

    async def heartbeat(self) -> None:
        """Let every connection see whether it missed something, and its user be seen as connected."""
        self._note_presence()
        consumers = list(self._live)
        positions().keep_online({consumer.user_id: consumer.session for consumer in consumers})
        for start in range(0, len(consumers), HEARTBEAT_BATCH):
            batch = consumers[start : start + HEARTBEAT_BATCH]
            user_ids = [consumer.user_id for consumer in batch]
            sessions_now = await sessions().newest(user_ids)
            epoch, heads = await history().heads(user_ids)
            for consumer, newest, head in zip(batch, sessions_now, heads, strict=True):
                await consumer.heartbeat(newest=newest, epoch=epoch, head=head)

    def _note_presence(self) -> None:
        """Note again the connections whose last note is old, and that this process lives."""
        now = time.time()
        due = [(consumer, here) for consumer, here in self._live.items() if now - here.noted >= REFRESH]
        for consumer, here in due:
            here.heard, here.noted = heard_at(consumer.scope, now), now
        presence().note(here for _, here in due)

    async def check_tokens(self) -> None:
        """Let those connections end whose user was shut out or whose token was revoked, if nobody has told them."""
        by_user = {consumer.user_id: consumer for consumer in tuple(self._live)}
        user_ids = list(by_user)
        for start in range(0, len(user_ids), CHECK_BATCH):
            versions = await in_read_thread(token_versions, user_ids[start : start + CHECK_BATCH])
            for user_id, version in versions.items():
                await by_user[user_id].notice_version(version)

    def not_told(self, count: int) -> list[UserConsumer]:
        """Return some that do not know yet that the server restarts."""
        return list(itertools.islice((consumer for consumer in self._live if not consumer.restarting), count))


connections = Connections()
