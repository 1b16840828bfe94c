"""The channel layer between processes: channels_redis' pub/sub layer, with bounded mailboxes.

A channel has its one receiver in the process that opened it, and only that process sends to it; so Redis sees the
groups alone: one subscription for a user, and one command for a message to a group.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from channels.exceptions import ChannelFull
from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection
from channels_redis.utils import _wrap_close, decode_hosts
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from common.errors import brief
from common.redis import AWAY, CONNECT_TIMEOUT, PREFIX, RETRIES
from realtime import metrics
from realtime.delivery.layers.mailbox import Mailbox, Message

logger = logging.getLogger(__name__)

RETRY_DELAY = 0.5
"""Seconds between two attempts to hear from Redis again."""

LISTEN = 1.0
"""Seconds for which one call waits for a message."""


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
            self._layer.drop()


class Shard(RedisSingleShardConnection):  # type: ignore[misc]
    """The connection that hears; while Redis is away it says so once, and tries on."""

    async def _do_receiving(self) -> None:
        said = ""
        while True:
            try:
                if self._pubsub is not None and self._pubsub.subscribed:
                    message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=LISTEN)
                    said = ""
                    self._receive_message(message)
                else:
                    await asyncio.sleep(RETRY_DELAY / 5)
            except AWAY as exc:
                if said != (said := brief(exc)):
                    logger.warning("Nothing is heard from Redis: %s", said)
                await asyncio.sleep(RETRY_DELAY)
            except Exception:
                logger.exception("A message could not be received.")


class LoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc]  # Channels has no type hints
    """The layer of one event loop."""

    def __init__(self, hosts: list[Any], capacity: int, **kwargs: Any) -> None:
        super().__init__(hosts, prefix=PREFIX, **kwargs)
        # A connection that has gone is made again at once: the first message after a restart is not lost.
        retry = {"retry": Retry(ExponentialBackoff(), RETRIES), "socket_connect_timeout": CONNECT_TIMEOUT}
        self._shards = [Shard({**host, **retry}, self) for host in decode_hosts(hosts)]
        self.capacity = capacity
        self.dropped = 0

    async def send(self, channel: str, message: Message) -> None:
        """Put a message into a channel of this process. Raises `ChannelFull` where there is no room."""
        inbox = self.channels.get(channel)
        if inbox is not None and not inbox.put(message):
            self.drop()
            raise ChannelFull

    async def receive(self, channel: str) -> Message:
        """Return the next message of a channel, waiting for it."""
        message: Message = await self.channels[channel].receive()
        return message

    def drop(self) -> None:
        """Count a message for which there was no room."""
        self.dropped += 1
        metrics.dropped()

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
