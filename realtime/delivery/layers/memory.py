"""The channel layer of the embedded default: groups and mailboxes in the memory of one process.

It is a layer as Channels defines one (at most once, bounded), at a cost that does not grow with the number of users;
`channels.layers.InMemoryChannelLayer` looks through all channels for every message (`python -m bench.layer`).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer

from realtime import metrics
from realtime.contract.frames import notification_head
from realtime.delivery.deliveries import Delivery, on_their_way
from realtime.delivery.fence import Fence
from realtime.delivery.history import history
from realtime.delivery.history.memory import MemoryHistory
from realtime.delivery.layer_messages import DELIVER, group_of
from realtime.delivery.layers.mailbox import Mailbox, Message


class InProcessChannelLayer(BaseChannelLayer):  # type: ignore[misc]  # Channels has no type hints
    """Channels and groups for the consumers of this process."""

    extensions = ("groups", "flush")

    def __init__(self, capacity: int = 1000, **_: Any) -> None:
        super().__init__(capacity=capacity)
        self._mailboxes: dict[str, Mailbox] = {}
        self._groups: defaultdict[str, set[str]] = defaultdict(set)
        self.dropped = 0

    async def deliver_batch(
        self, deliveries: Sequence[Delivery], fence: Fence | None = None, *, after_gap: bool = False
    ) -> int:
        """Number, keep and send each event in turn; one that comes again keeps its number and is sent again.

        Return how many were not delivered because they had expired. With `after_gap` notifications before these are
        lost: a new epoch begins, so that all clients get the state.
        There is no lease here: within one process nobody else delivers.
        """
        store = history()
        assert isinstance(store, MemoryHistory)
        if after_gap:
            store.begin_epoch()
        now = time.time()
        valid = [delivery for delivery in deliveries if delivery.valid_until is None or delivery.valid_until > now]
        with on_their_way("layer", valid) as traced:
            for delivery in traced:
                await self._deliver(delivery, store)
        return len(deliveries) - len(valid)

    async def _deliver(self, delivery: Delivery, store: MemoryHistory) -> None:
        common_head = notification_head(delivery.type, delivery.data)
        for user_id, view in delivery.audience.items():
            head = common_head if view is None else notification_head(delivery.type, view)
            item = store.append(user_id, delivery.event_id, head)
            message = {
                "type": DELIVER,
                "epoch": store.epoch,
                "seq": item.seq,
                "event": delivery.type,
                "frame": item.frame,
                "at": delivery.at,
                "trace": delivery.traceparent,
            }
            await self.group_send(group_of(user_id), message)

    async def new_channel(self, prefix: str = "specific") -> str:
        """Create a channel for one receiver; `close_channel` ends it."""
        name = f"{prefix}.{uuid4().hex}"
        self._mailboxes[name] = Mailbox(self.capacity)
        return name

    async def close_channel(self, channel: str) -> None:
        """Delete a channel and what is queued in it."""
        self._mailboxes.pop(channel, None)

    async def send(self, channel: str, message: Message) -> None:
        """Queue a message in a channel. Raises `ChannelFull` where there is no room."""
        if not self._mailbox(channel).put(message):
            self._drop()
            raise ChannelFull

    async def receive(self, channel: str) -> Message:
        """Return the next message of a channel; wait for one."""
        return await self._mailbox(channel).receive()

    async def group_add(self, group: str, channel: str) -> None:
        """Add a channel to a group."""
        self._groups[group].add(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Remove a channel from a group."""
        members = self._groups.get(group)
        if members is not None:
            members.discard(channel)
            if not members:
                del self._groups[group]

    async def group_send(self, group: str, message: Message) -> None:
        """Queue a message in every channel of a group that has room."""
        for channel in tuple(self._groups.get(group, ())):
            mailbox = self._mailboxes.get(channel)
            if mailbox is not None and not mailbox.put(message):
                self._drop()

    async def flush(self) -> None:
        """Delete all channels and groups."""
        self._mailboxes.clear()
        self._groups.clear()

    def _drop(self) -> None:
        self.dropped += 1
        metrics.dropped()

    def _mailbox(self, channel: str) -> Mailbox:
        mailbox = self._mailboxes.get(channel)
        if mailbox is None:
            mailbox = self._mailboxes[channel] = Mailbox(self.capacity)
        return mailbox
