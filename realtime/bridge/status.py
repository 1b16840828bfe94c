"""The state of the bridge in Redis, for health checks and metrics; every bridge, active or not, writes it."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo, StreamInfo
from nats.js.errors import NotFoundError

from common.process import process
from common.redis import PREFIX, async_redis, sync_redis, sync_shard
from common.shards import shard_count, shard_name
from events.stream import DURABLE, stream_of
from realtime.bridge.lease import KEY as LEASE
from realtime.bridge.lease import RELAY_KEY

STATUS_INTERVAL = 1.0
"""Seconds between two reports."""

STATUS_TTL = 10
"""Seconds after which a report expires."""

SHARD_KEY = f"{PREFIX}shard"

_KEY = f"{PREFIX}bridge:lag"
_TROUBLE = f"{PREFIX}bridge:trouble"
_STUCK = f"{PREFIX}bridge:stuck"


class Status(msgspec.Struct, frozen=True):
    """Whether a bridge is active, and how many messages are undelivered; None where no bridge has reported.

    `trouble` is why the active one cannot publish at this moment; empty while it can. `stuck` is for how many seconds
    nothing was delivered although messages wait.
    """

    is_active: bool
    lag: int | None
    trouble: str = ""
    stuck: float = 0.0


class Standstill:
    """For how long nothing was delivered although messages wait, as this process has seen it."""

    def __init__(self) -> None:
        self._position = -1
        self._since = 0.0

    def note(self, position: int, lag: int) -> float:
        """Take how far the bridge is, and how much waits; return the seconds."""
        now = time.monotonic()
        if not lag or position != self._position:
            self._position, self._since = position, now
        return now - self._since


async def report_status(context: JetStreamContext, shard: int = 0) -> None:
    """Store how many messages of a shard's stream are undelivered (last sequence minus position), and for how long."""
    try:
        info = await context.stream_info(stream_of(shard))
        position = await _position(context, info, shard)
    except NotFoundError:  # no bridge was active yet
        return
    lag = max(0, info.state.last_seq - position)
    stuck: float = process.one((Standstill, shard), Standstill).note(position, lag)
    await async_redis(shard).set(_KEY, lag, ex=STATUS_TTL)
    await async_redis(shard).set(_STUCK, round(stuck, 1), ex=STATUS_TTL)


async def report_trouble(trouble: str) -> None:
    """Store why the active bridge cannot publish; empty where it can."""
    if trouble:
        await async_redis().set(_TROUBLE, trouble, ex=STATUS_TTL)
    else:
        await async_redis().delete(_TROUBLE)


async def _position(context: JetStreamContext, info: StreamInfo, shard: int) -> int:
    """Return the last sequence that was delivered; messages that were deleted before count as delivered."""
    consumer = await context.consumer_info(stream_of(shard), DURABLE)
    if not consumer.num_pending and not consumer.num_ack_pending:
        return info.state.last_seq
    stored = int(await async_redis(shard).get(position_key(stream_id(info, shard))) or 0)
    return last_delivered(stored, consumer, info.state.last_seq)


def read_status(shard: int = 0) -> Status:
    """Return the last report of a shard; whoever relays the outbox reports its trouble to shard 0."""
    found: Any = sync_shard(shard).mget([LEASE, _KEY, _TROUBLE, _STUCK])
    active, lag, trouble, stuck = found
    lag = None if lag is None else int(lag)
    return Status(active is not None, lag, (trouble or b"").decode(), float(stuck or 0))


def has_relay() -> bool:
    """Return whether the outbox is relayed; where there is one shard, whoever delivers does that."""
    return shard_count() == 1 or bool(sync_redis().exists(RELAY_KEY))


async def was_another(shard: int) -> bool:
    """Return whether the server of a shard was another one: its histories are of other users, or of another time."""
    found: Any = await async_redis(shard).get(SHARD_KEY)
    return found is not None and found.decode() != shard_name(shard)


async def claim_server(shard: int) -> None:
    """Note on the server of a shard which one it is."""
    await async_redis(shard).set(SHARD_KEY, shard_name(shard))


def claimed_name(shard: int) -> str:
    """Return which shard a bridge takes the server of this one for; empty where none has said so."""
    found: Any = sync_shard(shard).get(SHARD_KEY)
    return (found or b"").decode()


def last_delivered(stored: int, consumer: ConsumerInfo, newest: int) -> int:
    """Return the last sequence that was delivered, by the position stored in Redis and by the acknowledgements.

    `newest` is the last sequence of the stream: a consumer that is further belongs to an earlier stream of this name.
    """
    floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
    return max(stored, floor if floor <= newest else 0)


def stream_id(info: StreamInfo, shard: int = 0) -> str:
    """Return the name and the creation time of a stream: one that is created again counts from 1 again."""
    assert info.created is not None
    return f"{stream_of(shard)}:{info.created.timestamp():.6f}"


def position_key(stream: str) -> str:
    """Return the key of the position in a stream, by its id."""
    return f"{PREFIX}bridge:position:{stream}"
