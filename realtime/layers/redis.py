"""The channel layer between processes: channels_redis' pub/sub layer, with bounded mailboxes.

A channel has its one receiver in the process that opened it, and only that process sends to it; so Redis sees the
groups alone: one subscription for a user, and one command for a message to a group.
"""

from __future__ import annotations

import asyncio
from typing import Any

from channels.exceptions import ChannelFull
from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer
from channels_redis.utils import _wrap_close

from nebengjek.redis import PREFIX
from realtime.layers.mailbox import Mailbox, Message


def group_channel(group: str) -> str:
    """Return the name of the Redis channel on which a group hears."""
    return f"{PREFIX}__group__{group}"


class Inbox(Mailbox):
    """A mailbox that takes what comes from Redis."""

    __slots__ = ("_layer",)

    def __init__(self, layer: LoopLayer) -> None:
        super().__init__(layer.capacity)
        self._layer = layer

    def put_nowait(self, data: bytes) -> None:
        """Take a message as it came; drop and count it where there is no room."""
        if not self.put(self._layer.channel_layer.deserialize(data)):
            self._layer.dropped += 1


class LoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc]  # Channels has no type hints
    """The layer of one event loop."""

    def __init__(self, *args: Any, capacity: int, **kwargs: Any) -> None:
        super().__init__(*args, prefix=PREFIX, **kwargs)
        self.capacity = capacity
        self.dropped = 0

    async def send(self, channel: str, message: Message) -> None:
        """Put a message into a channel of this process. Raises `ChannelFull` where there is no room."""
        inbox = self.channels.get(channel)
        if inbox is not None and not inbox.put(message):
            self.dropped += 1
            raise ChannelFull

    async def receive(self, channel: str) -> Message:
        """Return the next message of a channel, waiting for it."""
        message: Message = await self.channels[channel].receive()
        return message

    async def close_channel(self, channel: str) -> None:
        """Forget a channel and what waits in it."""
        self.channels.pop(channel, None)

    async def _subscribe_to_channel(self, channel: str) -> None:
        self.channels[channel] = Inbox(self)


class RedisChannelLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """The layer of this process; each event loop has one of its own."""

    def __init__(self, *args: Any, capacity: int = 1000, **kwargs: Any) -> None:
        super().__init__(*args, capacity=capacity, **kwargs)

    def _get_layer(self) -> LoopLayer:
        loop = asyncio.get_running_loop()
        layer: LoopLayer | None = self._layers.get(loop)
        if layer is None:
            layer = self._layers[loop] = LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        return layer
