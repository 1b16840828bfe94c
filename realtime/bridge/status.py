"""The state of the bridge in Redis, for health checks and metrics; every bridge, active or not, writes it."""

from __future__ import annotations

from typing import Any

import msgspec
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo, StreamInfo
from nats.js.errors import NotFoundError

from common.redis import PREFIX, async_redis, sync_redis
from events.stream import DURABLE, STREAM
from realtime.bridge.lease import KEY as LEASE

STATUS_INTERVAL = 1.0
"""Seconds between two reports."""

STATUS_TTL = 10
"""Seconds after which a report expires."""

_KEY = f"{PREFIX}bridge:lag"
_TROUBLE = f"{PREFIX}bridge:trouble"


class Status(msgspec.Struct, frozen=True):
    """Whether a bridge is active, and how many messages are undelivered; None where no bridge has reported.

    `trouble` is why the active one cannot publish at this moment; empty while it can.
    """

    is_active: bool
    lag: int | None
    trouble: str = ""


async def report_status(context: JetStreamContext) -> None:
    """Store how many messages of the stream are undelivered: its last sequence minus the delivered position."""
    try:
        info = await context.stream_info(STREAM)
        lag = info.state.last_seq - await _position(context, info)
    except NotFoundError:  # no bridge was active yet
        return
    await async_redis().set(_KEY, max(0, lag), ex=STATUS_TTL)


async def report_trouble(trouble: str) -> None:
    """Store why the active bridge cannot publish; empty where it can."""
    if trouble:
        await async_redis().set(_TROUBLE, trouble, ex=STATUS_TTL)
    else:
        await async_redis().delete(_TROUBLE)


async def _position(context: JetStreamContext, info: StreamInfo) -> int:
    """Return the last sequence that was delivered; messages that were deleted before count as delivered."""
    consumer = await context.consumer_info(STREAM, DURABLE)
    if not consumer.num_pending and not consumer.num_ack_pending:
        return info.state.last_seq
    stored = int(await async_redis().get(position_key(stream_id(info))) or 0)
    return last_delivered(stored, consumer, info.state.last_seq)


def read_status() -> Status:
    """Return the last report."""
    found: Any = sync_redis().mget([LEASE, _KEY, _TROUBLE])
    active, lag, trouble = found
    return Status(active is not None, None if lag is None else int(lag), (trouble or b"").decode())


def last_delivered(stored: int, consumer: ConsumerInfo, newest: int) -> int:
    """Return the last sequence that was delivered, by the position stored in Redis and by the acknowledgements.

    `newest` is the last sequence of the stream: a consumer that is further belongs to an earlier stream of this name.
    """
    floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
    return max(stored, floor if floor <= newest else 0)


def stream_id(info: StreamInfo) -> str:
    """Return the name and the creation time of a stream: one that is created again counts from 1 again."""
    assert info.created is not None
    return f"{STREAM}:{info.created.timestamp():.6f}"


def position_key(stream: str) -> str:
    """Return the key of the position in a stream, by its id."""
    return f"{PREFIX}bridge:position:{stream}"
