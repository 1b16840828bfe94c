"""The channel layer of the embedded default: groups and mailboxes in the memory of one process.

It does what Channels asks of a layer (at most once, bounded mailboxes) at a cost that does not grow with the number of
users. A full mailbox drops the new message and counts it; the consumer finds the gap and refills it from the history.
A message with the key `latest` takes the place of the one of the same value that still waits, and needs no room of its
own: so positions neither pile up nor push anything else out.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from typing import Any
from uuid import uuid4

from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer

Message = dict[str, Any]


class Mailbox:
    """The messages that wait for one channel, and the receiver that waits for them."""

    __slots__ = ("capacity", "latest", "loop", "messages", "waiter")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.messages: deque[Message] = deque()
        self.latest: dict[str, Message] = {}
        self.waiter: asyncio.Future[None] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def put(self, message: Message) -> bool:
        """Add a message and wake the receiver; return False where there is no room."""
        key = message.get("latest")
        if key is not None:
            waiting = self.latest.get(key)
            if waiting is not None:
                waiting.update(message)
                return True
            message = self.latest[key] = dict(message)
        elif len(self.messages) - len(self.latest) >= self.capacity:
            return False
        self.messages.append(message)
        self.wake()
        return True

    def take(self) -> Message:
        """Return the oldest message."""
        message = self.messages.popleft()
        self.latest.pop(message.get("latest", ""), None)
        return message

    def wake(self) -> None:
        """Let the receiver look again; may be called from another event loop than the receiver's."""
        if self.waiter is None or self.loop is None:
            return
        if self.loop is asyncio.get_running_loop():
            self._release(self.waiter)
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._release, self.waiter)

    async def wait(self) -> None:
        """Wait until there may be a message."""
        self.loop = asyncio.get_running_loop()
        self.waiter = self.loop.create_future()
        try:
            if not self.messages:
                await self.waiter
        finally:
            self.waiter = None

    @staticmethod
    def _release(waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)


class InProcessChannelLayer(BaseChannelLayer):  # type: ignore[misc]  # Channels has no type hints
    """Channels and groups for the consumers of this process."""

    extensions = ("groups", "flush")

    def __init__(self, capacity: int = 1000, **_: Any) -> None:
        super().__init__(capacity=capacity)
        self._mailboxes: dict[str, Mailbox] = {}
        self._groups: defaultdict[str, set[str]] = defaultdict(set)
        self.dropped = 0

    async def new_channel(self, prefix: str = "specific") -> str:
        """Open a channel for one receiver; `close_channel` ends it."""
        name = f"{prefix}.{uuid4().hex}"
        self._mailboxes[name] = Mailbox(self.capacity)
        return name

    async def close_channel(self, channel: str) -> None:
        """Forget a channel and what waits in it."""
        self._mailboxes.pop(channel, None)

    async def send(self, channel: str, message: Message) -> None:
        """Put a message into a channel. Raises `ChannelFull` where there is no room."""
        if not self._mailbox(channel).put(message):
            self.dropped += 1
            raise ChannelFull

    async def receive(self, channel: str) -> Message:
        """Return the next message of a channel, waiting for it."""
        mailbox = self._mailbox(channel)
        while not mailbox.messages:
            await mailbox.wait()
        return mailbox.take()

    async def group_add(self, group: str, channel: str) -> None:
        """Let a channel have what is sent to a group."""
        self._groups[group].add(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Take a channel out of a group."""
        members = self._groups.get(group)
        if members is not None:
            members.discard(channel)
            if not members:
                del self._groups[group]

    async def group_send(self, group: str, message: Message) -> None:
        """Put a message into every channel of a group that has room."""
        for channel in tuple(self._groups.get(group, ())):
            mailbox = self._mailboxes.get(channel)
            if mailbox is not None and not mailbox.put(message):
                self.dropped += 1

    async def flush(self) -> None:
        """Forget everything."""
        self._mailboxes.clear()
        self._groups.clear()

    def _mailbox(self, channel: str) -> Mailbox:
        mailbox = self._mailboxes.get(channel)
        if mailbox is None:
            mailbox = self._mailboxes[channel] = Mailbox(self.capacity)
        return mailbox
