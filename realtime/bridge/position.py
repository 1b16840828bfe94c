"""How far the stream has been delivered."""

from __future__ import annotations

import asyncio
import contextlib

from nats.js import JetStreamContext
from nats.js.api import StreamInfo
from nats.js.errors import NotFoundError

from common.redis import async_redis
from events.stream import DURABLE, stream_of
from realtime.bridge.status import last_delivered, position_key, stream_id
from realtime.delivery.fence import NotActive


class StreamReplaced(NotActive):
    """The stream was deleted and made again under its name: a position in the old one says nothing about it."""


class Position:
    """The sequence up to which the stream `stream` (a `stream_id`) is delivered, and who waits for a later one."""

    def __init__(self, stream: str, sequence: int, *, is_certain: bool = True, shard: int = 0) -> None:
        self.stream = stream
        self.shard = shard
        self.sequence = sequence
        self.is_certain = is_certain
        """Whether everything up to here was delivered, as far as we know."""

        self._moved = asyncio.Condition()

    @classmethod
    async def load(cls, context: JetStreamContext, info: StreamInfo, shard: int = 0) -> Position:
        """Return the position in a stream as Redis or the acknowledgements know it, whichever is further."""
        stored = await async_redis(shard).get(position_key(stream_id(info, shard)))
        sequence = int(stored or 0)
        with contextlib.suppress(NotFoundError):
            consumer = await context.consumer_info(stream_of(shard), DURABLE)
            sequence = last_delivered(sequence, consumer, info.state.last_seq)
        sequence = min(sequence, info.state.last_seq)
        # Redis stores each position before NATS gets the acknowledgements. Where it knows less, either it has lost
        # data, or a purge has moved the acknowledgements on, or this stream was created after another one. Where it
        # knows more, the stream has lost its end: NATS syncs to disk every 2 minutes (`sync_interval`).
        is_certain = stored is not None and sequence == int(stored)
        return cls(stream_id(info, shard), sequence, is_certain=is_certain, shard=shard)

    @property
    def key(self) -> str:
        """The Redis key in which the sequence is stored."""
        return position_key(self.stream)

    def check(self, info: StreamInfo) -> None:
        """Raise `StreamReplaced` where `info` is of another stream than ours."""
        if stream_id(info, self.shard) != self.stream:
            raise StreamReplaced(f"the stream {stream_of(self.shard)} was deleted and made again")

    async def move_to(self, sequence: int) -> None:
        """Note that everything up to `sequence` has been delivered."""
        async with self._moved:
            self.sequence = max(self.sequence, sequence)
            self._moved.notify_all()

    async def wait_for(self, sequence: int) -> None:
        """Return when everything up to `sequence` has been delivered."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.sequence >= sequence)
