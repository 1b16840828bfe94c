"""The NATS stream: its subjects, its configuration, and the headers of our messages.

There is one stream, because several would lose the order between a match and its ride. With several shards each has one
of its own, since the order that counts is that of each user: what we publish goes to `shard.<number>.<subject>` of each
shard in which it has recipients, and other services publish on the plain subjects, which are in the stream of shard 0.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.conf import settings

from common.shards import shard_count

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.api import StreamConfig, StreamInfo

logger = logging.getLogger(__name__)

STREAM = "NEBENGJEK"
SUBJECTS = ("match.*", "ride.*", "payment.*")
DURABLE = "bridge"
DUPLICATE_WINDOW = 3600.0
"""Seconds within which the stream takes a message of the same `Nats-Msg-Id` only once."""

MAX_PAYLOAD = 64 * 1024
"""Bytes of a message that the bridge delivers at most: a client has to take it in one frame."""

SHARD_PREFIX = "shard."

OUTBOX_SUBJECT = "nebengjek.outbox"
"""Core NATS, no payload: an event was committed, so the relay should read the outbox."""

ID_HEADER = "Nats-Msg-Id"
TYPE_HEADER = "Nebengjek-Type"
"""The frame type; on messages of ours only."""
VIEWS_HEADER = "Nebengjek-Views"
"""JSON object: what single recipients see instead of the payload, by user id; null for the payload itself."""
VALID_UNTIL_HEADER = "Nebengjek-Valid-Until"
"""RFC 3339: the message is not delivered after this moment."""


class StreamMismatch(Exception):
    """The stream exists with a configuration that would lose or refuse our messages."""


def is_streamed(subject: str) -> bool:
    """Return whether what is published on a subject is kept in the stream."""
    return any(subject.startswith(pattern.removesuffix("*")) for pattern in SUBJECTS)


def stream_of(shard: int) -> str:
    """Return the name of a shard's stream."""
    return f"{STREAM}_{shard}" if shard else STREAM


def subjects_of(shard: int) -> tuple[str, ...]:
    """Return the subjects of a shard's stream."""
    own = (f"{SHARD_PREFIX}{shard}.>",) if shard_count() > 1 else ()
    return own if shard else (*SUBJECTS, *own)


def sharded_subject(subject: str, shard: int) -> str:
    """Return the subject on which we publish something for users of a shard, where there are several."""
    return f"{SHARD_PREFIX}{shard}.{subject}"


def plain_subject(subject: str) -> str:
    """Return the subject of the contract."""
    return subject.split(".", 2)[2] if subject.startswith(SHARD_PREFIX) and subject.count(".") > 1 else subject


def stream_for(subject: str) -> str:
    """Return the name of the stream that has a subject."""
    shard = subject.split(".")[1] if subject.startswith(SHARD_PREFIX) else "0"
    return stream_of(int(shard) if shard.isdecimal() else 0)


async def ensure_stream(context: JetStreamContext, shard: int = 0) -> StreamInfo:
    """Return a shard's stream, created where there is none.

    Raises `StreamMismatch` where it would lose our messages.
    """
    from nats.js.api import RetentionPolicy, StorageType, StreamConfig  # only where there is NATS, as below
    from nats.js.errors import NotFoundError

    name, subjects = stream_of(shard), subjects_of(shard)
    wanted = StreamConfig(
        name=name,
        subjects=list(subjects),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        duplicate_window=DUPLICATE_WINDOW,
        max_age=settings.NATS_STREAM_MAX_AGE.total_seconds(),
    )
    try:
        info = await context.stream_info(name)
    except NotFoundError:
        logger.info("Creating the stream %s for %s.", name, ", ".join(subjects))
        return await context.add_stream(wanted)
    config = info.config
    missing = set(subjects) - set(config.subjects or ())
    if missing and not missing & set(SUBJECTS):  # it was made for one shard
        config.subjects = [*(config.subjects or ()), *missing]
        info, missing = await context.update_stream(config), set()
    if missing:
        raise StreamMismatch(f"The stream {name} lacks the subjects {', '.join(sorted(missing))}.")
    if config.retention != RetentionPolicy.LIMITS:
        raise StreamMismatch(f"The stream {name} has the retention {config.retention}; it must be limits.")
    for problem in weaknesses(config):
        logger.warning("The stream %s %s", name, problem)
    return info


async def ensure_streams(context: JetStreamContext) -> None:
    """Create or check the streams of all shards."""
    for shard in range(shard_count()):
        await ensure_stream(context, shard)


def weaknesses(config: StreamConfig) -> list[str]:
    """Return what may lose or refuse messages in a stream that an operator has configured."""
    from nats.js.api import DiscardPolicy, StorageType

    found = []
    if config.storage != StorageType.FILE:
        found.append("is in memory: a restart of NATS loses what was not delivered.")
    if (config.duplicate_window or 0) < DUPLICATE_WINDOW:
        found.append(f"forgets message ids after {config.duplicate_window} s.")
    limits = {"max_msgs": config.max_msgs, "max_bytes": config.max_bytes, "per subject": config.max_msgs_per_subject}
    limited = [name for name, limit in limits.items() if limit is not None and limit > 0]
    if limited and config.discard != DiscardPolicy.NEW:
        found.append(f"drops its oldest messages ({', '.join(limited)}), also undelivered ones: set discard to new.")
    if config.max_msg_size is not None and 0 < config.max_msg_size < MAX_PAYLOAD:
        found.append(f"refuses messages of more than {config.max_msg_size} bytes; ours may have {MAX_PAYLOAD}.")
    return found
