"""The queue of one channel: bounded, and with only the latest position of each sender.

A message with the key `latest` replaces a queued one with the same value, and does not count against the capacity: so
positions neither pile up nor displace other messages. A full mailbox drops the new message; the consumer sees the gap
and refills it from the history.
"""

from __future__ import annotations

import asyncio
from typing import Any

Message = dict[str, Any]


class Mailbox:
    """The queued messages of one channel, and its one receiver."""

    __slots__ = ("capacity", "latest", "loop", "messages", "waiter")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.messages: list[Message] = []  # an empty deque takes 0.6 kB, a thousand times
        self.latest: dict[str, Message] = {}
        self.waiter: asyncio.Future[None] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def put(self, message: Message) -> bool:
        """Queue a message and wake the receiver; return False where there is no room."""
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
        message = self.messages.pop(0)
        self.latest.pop(message.get("latest", ""), None)
        return message

    def wake(self) -> None:
        """Wake the receiver; may be called from another event loop than the receiver's."""
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

    async def receive(self) -> Message:
        """Return the oldest message, waiting for one."""
        while not self.messages:
            await self.wait()
        return self.take()

    @staticmethod
    def _release(waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)
