"""How far the bridge is, for whoever asks: every bridge, at work or standing by, says it in Redis each second."""

from __future__ import annotations

import msgspec
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo, StreamInfo
from nats.js.errors import NotFoundError

from common.redis import PREFIX, async_redis, sync_redis
from events.stream import DURABLE, STREAM
from realtime.bridge.lease import KEY as LEASE

STATUS_INTERVAL = 1.0
"""Seconds between two words."""

STATUS_TTL = 10
"""Seconds for which a word counts."""

_KEY = f"{PREFIX}bridge:lag"


class Status(msgspec.Struct, frozen=True):
    """Whether a bridge is at work, and how many messages it has yet to deliver; None where no bridge says so."""

    is_active: bool
    lag: int | None


async def report_status(context: JetStreamContext) -> None:
    """Say how many messages of the stream are yet to be delivered: its last sequence minus the delivered position."""
    try:
        info = await context.stream_info(STREAM)
        lag = info.state.last_seq - await _position(context, info)
    except NotFoundError:  # no bridge has been at work yet
        return
    await async_redis().set(_KEY, max(0, lag), ex=STATUS_TTL)


async def _position(context: JetStreamContext, info: StreamInfo) -> int:
    """Return the last sequence that was delivered; what was deleted before it could be delivered counts too."""
    consumer = await context.consumer_info(STREAM, DURABLE)
    if not consumer.num_pending and not consumer.num_ack_pending:
        return info.state.last_seq
    noted = int(await async_redis().get(position_key(stream_id(info))) or 0)
    return last_delivered(noted, consumer, info.state.last_seq)


def read_status() -> Status:
    """Return what the bridges said last."""
    active, lag = sync_redis().mget([LEASE, _KEY])
    return Status(active is not None, None if lag is None else int(lag))


def last_delivered(noted: int, consumer: ConsumerInfo, newest: int) -> int:
    """Return the last sequence that was delivered: as Redis has it noted, or the acknowledgements show.

    A consumer that has come further than the stream, whose last sequence is `newest`, is one of a stream before.
    """
    floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
    return max(noted, floor if floor <= newest else 0)


def stream_id(info: StreamInfo) -> str:
    """Return the name of a stream and the moment in which it was made: one made anew counts from 1 again."""
    assert info.created is not None
    return f"{STREAM}:{info.created.timestamp():.6f}"


def position_key(stream: str) -> str:
    """Return the key of the last sequence that was delivered of a stream, by its id."""
    return f"{PREFIX}bridge:position:{stream}"
