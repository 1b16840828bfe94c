"""The channel layer between processes: channels_redis' pub/sub layer, with bounded mailboxes and numbered deliveries.

A channel has its one receiver in the process that opened it, and only that process sends to it; so Redis sees the
groups alone: one subscription for a user, and one command for a message to a group. Nothing here uses a private name of
channels_redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import msgspec
import redis
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer
from channels_redis import pubsub
from django.conf import settings

from common.logs import Outages
from common.redis import PREFIX, ListeningConnection, Script, async_options
from common.shards import shard_of
from realtime import metrics
from realtime.contract.frames import notification_head
from realtime.delivery.deliveries import Delivery, on_their_way
from realtime.delivery.fence import Fence, Fenced
from realtime.delivery.history.base import EVENT_ID_TTL
from realtime.delivery.history.redis import EPOCH, fresh_generation
from realtime.delivery.layer_messages import DELIVER, GROUP
from realtime.delivery.layers.mailbox import Mailbox, Message

logger = logging.getLogger(__name__)

DAY = 24 * 3600

EVENTS_PER_CALL = 100
"""Events of one script call (about 2 ms); a longer batch is several calls, between which others are served."""

_DELIVER = Script(EPOCH, Path(__file__).with_name("deliver.lua"))


def group_channel(group: str) -> str:
    """Return the name of the Redis channel that channels_redis uses for a group."""
    return f"{PREFIX}__group__{group}"


class RedisChannelLayer(BaseChannelLayer):  # type: ignore[misc]  # Channels has no type hints
    """The layer of this process. Each event loop has its own connections, which end with it."""

    extensions = ("groups", "flush")

    def __init__(self, hosts: Sequence[str], capacity: int = 1000) -> None:
        super().__init__(capacity=capacity)
        self.dropped = 0
        self._hosts = hosts
        self._loops: dict[asyncio.AbstractEventLoop, tuple[AnyLoopLayer, AsyncGenerator[None, None]]] = {}
        logging.getLogger(pubsub.__name__).addFilter(_ONE_LINE)

    async def deliver_batch(
        self, deliveries: Sequence[Delivery], fence: Fence | None = None, *, after_gap: bool = False
    ) -> int:
        """Number, keep and send each event in turn; one that comes again keeps its number and is sent again.

        Return how many were not delivered because they had expired. With `after_gap` notifications before these are
        lost: a new epoch begins, so that all clients get the state. Raises `Fenced`, having
        delivered nothing more, when the lease of the `fence` is not held any more. With a fence all are for users of
        its shard.
        """
        with on_their_way("layer", deliveries) as traced:
            if fence is not None or len(self._hosts) == 1:
                return await _deliver(traced, fence, after_gap=after_gap)
            shards = range(len(self._hosts))
            return sum([await _deliver(parts_of(traced, n), None, after_gap=after_gap, shard=n) for n in shards])

    async def new_channel(self, prefix: str = "specific.") -> str:
        """Create a channel for one receiver; `close_channel` ends it."""
        return await self.here.new_channel(prefix)

    async def close_channel(self, channel: str) -> None:
        """Delete a channel and what is queued in it."""
        self.here.channels.pop(channel, None)

    async def send(self, channel: str, message: Message) -> None:
        """Queue a message in a channel of this process. Raises `ChannelFull` where there is no room."""
        await self.here.send(channel, message)

    async def receive(self, channel: str) -> Message:
        """Return the next message of a channel; wait for one."""
        return await self.here.channels[channel].receive()

    async def group_add(self, group: str, channel: str) -> None:
        """Add a channel to a group."""
        await self.here.group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Remove a channel from a group."""
        await self.here.group_discard(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        """Send a message to every channel of a group, in any process."""
        await self.here.group_send(group, message)

    async def flush(self) -> None:
        """Delete the channels and groups of this event loop, and close its connections."""
        if (found := self._loops.get(asyncio.get_running_loop())) is not None:
            await found[1].aclose()

    @property
    def here(self) -> AnyLoopLayer:
        """The layer of the running event loop."""
        loop = asyncio.get_running_loop()
        if (found := self._loops.get(loop)) is not None:
            return found[0]
        layer: AnyLoopLayer = (
            LoopLayer(self._hosts, self) if len(self._hosts) == 1 else ShardedLoopLayer(self._hosts, self)
        )
        ending = self._end_with(loop, layer)
        self._loops[loop] = layer, ending
        with contextlib.suppress(StopIteration):
            ending.__anext__().send(None)  # up to its `yield`, before which it has nothing to wait for
        return layer

    async def _end_with(self, loop: asyncio.AbstractEventLoop, layer: AnyLoopLayer) -> AsyncGenerator[None, None]:
        """Close the connections of a loop when it ends: asyncio closes the generators that are left before the loop."""
        try:
            yield
        finally:
            del self._loops[loop]
            await layer.flush()

    def drop(self) -> None:
        """Count a message for which there was no room."""
        self.dropped += 1
        metrics.dropped()

    @staticmethod
    def serialize(message: Message) -> bytes:
        """Return a message as it is published; channels_redis calls this, and `deliver.lua` does the same."""
        return msgspec.msgpack.encode(message)

    @staticmethod
    def deserialize(data: bytes) -> Message:
        """Return a message that was published."""
        message: Message = msgspec.msgpack.decode(data)
        return message


def parts_of(deliveries: Sequence[Delivery], shard: int) -> list[Delivery]:
    """Return what of these is for users of a shard."""
    found = [delivery.part_for(shard) for delivery in deliveries]
    return [delivery for delivery in found if delivery.audience]


async def _deliver(deliveries: Sequence[Delivery], fence: Fence | None, *, after_gap: bool, shard: int = 0) -> int:
    """Call the script for one part after the other; return how many had expired."""
    expired = 0
    starts = range(0, max(len(deliveries), 1), EVENTS_PER_CALL)
    for start in starts:  # one after the other: were a call refused and the next one not, the order would be lost
        call = Call.of(deliveries[start : start + EVENTS_PER_CALL])
        call.after_gap = after_gap and start == 0
        if fence is not None:
            shard, call.token = fence.shard, fence.token
            call.position = fence.position if start == starts[-1] else None
        keys = [fence.lease_key, fence.position_key] if fence else []
        try:
            expired += await _DELIVER(keys=keys, args=[msgspec.msgpack.encode(call)], shard=shard)
        except redis.ResponseError as exc:
            if str(exc).startswith("FENCED"):
                raise Fenced("the lease is not held any more") from exc
            raise
    return expired


class LoopLayer(pubsub.RedisPubSubLoopLayer):  # type: ignore[misc]
    """The layer of one event loop."""

    def __init__(self, hosts: Sequence[str], layer: RedisChannelLayer) -> None:
        # Reconnect at once where a connection was closed: so the first message after a restart of Redis is not lost.
        addresses = [{"address": host, **async_options(), "connection_class": ListeningConnection} for host in hosts]
        super().__init__(addresses, prefix=PREFIX, channel_layer=layer)
        self.channels: dict[str, Inbox] = {}
        self._layer = layer

    async def new_channel(self, prefix: str = "specific.") -> str:
        """Create a channel, without a subscription: only this process sends to it."""
        channel = f"{self.prefix}{prefix}{uuid4().hex}"
        self.channels[channel] = Inbox(self._layer)
        return channel

    async def send(self, channel: str, message: Message) -> None:
        """Queue a message in a channel of this process. Raises `ChannelFull` where there is no room."""
        inbox = self.channels.get(channel)
        if inbox is not None and not inbox.put(message):
            self._layer.drop()
            raise ChannelFull


class ShardedLoopLayer:
    """The layers of one event loop, one for each shard: the group of a user is on their shard."""

    def __init__(self, hosts: Sequence[str], layer: RedisChannelLayer) -> None:
        self._by_shard = [LoopLayer([host], layer) for host in hosts]
        self.channels, self.groups = self._by_shard[0].channels, self._by_shard[0].groups
        for one in self._by_shard:
            one.channels, one.groups = self.channels, self.groups
        self.new_channel, self.send = self._by_shard[0].new_channel, self._by_shard[0].send

    async def group_add(self, group: str, channel: str) -> None:
        """Add a channel to a group."""
        await self._of(group).group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Remove a channel from a group."""
        await self._of(group).group_discard(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        """Send a message to every channel of a group, in any process."""
        await self._of(group).group_send(group, message)

    async def flush(self) -> None:
        """Delete the channels and groups, and close the connections."""
        for one in self._by_shard:
            await one.flush()

    def _of(self, group: str) -> LoopLayer:
        return self._by_shard[shard_of(group.removeprefix(GROUP))]


AnyLoopLayer: TypeAlias = LoopLayer | ShardedLoopLayer


class Inbox(Mailbox):
    """A mailbox with the method that channels_redis calls."""

    __slots__ = ("_layer",)

    def __init__(self, layer: RedisChannelLayer) -> None:
        super().__init__(layer.capacity)
        self._layer = layer

    def put_nowait(self, data: bytes) -> None:
        """Queue a message as channels_redis received it; drop and count it where there is no room."""
        try:
            message = self._layer.deserialize(data)
        except msgspec.DecodeError:
            logger.exception("A message on the channel layer could not be decoded.")
            return
        if not self.put(message):
            self._layer.drop()


_Packed = tuple[str, str, str, list[list[str]], float, float | None, str | None]


class Call(msgspec.Struct, kw_only=True):
    """The argument of `deliver.lua`; times are in seconds where the name does not say otherwise."""

    events: list[_Packed]
    """Id, type, frame up to the number, recipients (a user, and their own frame where they have one), moment, end, and
    `traceparent`."""

    token: str = ""
    position: int | None = None
    after_gap: bool = False

    prefix: str = PREFIX
    channel_prefix: str = group_channel(GROUP)
    message_type: str = DELIVER
    fresh_generation: str = msgspec.field(default_factory=fresh_generation)
    max_frames: int
    frames_ttl_ms: int
    ids_ttl: int = EVENT_ID_TTL + DAY

    @classmethod
    def of(cls, deliveries: Sequence[Delivery]) -> Call:
        """Return the call that delivers these without any condition."""
        return cls(
            events=[_packed(delivery) for delivery in deliveries],
            max_frames=settings.HISTORY_MAX,
            frames_ttl_ms=int(settings.HISTORY_TTL.total_seconds() * 1000),
        )


def _packed(delivery: Delivery) -> _Packed:
    recipients = [
        [str(user_id)] if view is None else [str(user_id), notification_head(delivery.type, view)]
        for user_id, view in delivery.audience.items()
    ]
    head = notification_head(delivery.type, delivery.data)
    end, trace = delivery.valid_until, delivery.traceparent or None
    return delivery.event_id, delivery.type, head, recipients, delivery.at, end, trace


class OneLine(Outages):
    """channels_redis logs a traceback every second while Redis is unavailable: make one line of it."""

    def __init__(self) -> None:
        super().__init__("Nothing is received from Redis, retrying")


_ONE_LINE = OneLine()
