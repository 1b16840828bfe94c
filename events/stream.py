"""The NATS stream: its subjects, its configuration, and the headers of our messages.

There is one stream, because several would lose the order between a match and its ride.
"""

from __future__ import annotations

import logging

from django.conf import settings
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

logger = logging.getLogger(__name__)

STREAM = "NEBENGJEK"
SUBJECTS = ("match.*", "ride.*", "payment.*")
DURABLE = "bridge"
DUPLICATE_WINDOW = 3600.0
"""Seconds within which the stream takes a message of the same `Nats-Msg-Id` only once."""

MAX_PAYLOAD = 64 * 1024
"""Bytes of a message that the bridge delivers at most: a client has to take it in one frame."""

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


async def ensure_stream(context: JetStreamContext) -> StreamInfo:
    """Return the stream, created where there is none. Raises `StreamMismatch` where it would lose our messages."""
    wanted = StreamConfig(
        name=STREAM,
        subjects=list(SUBJECTS),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        duplicate_window=DUPLICATE_WINDOW,
        max_age=settings.NATS_STREAM_MAX_AGE.total_seconds(),
    )
    try:
        info = await context.stream_info(STREAM)
    except NotFoundError:
        logger.info("Creating the stream %s for %s.", STREAM, ", ".join(SUBJECTS))
        return await context.add_stream(wanted)
    config = info.config
    if missing := set(SUBJECTS) - set(config.subjects or ()):
        raise StreamMismatch(f"The stream {STREAM} lacks the subjects {', '.join(sorted(missing))}.")
    if config.retention != RetentionPolicy.LIMITS:
        raise StreamMismatch(f"The stream {STREAM} has the retention {config.retention}; it must be limits.")
    for problem in weaknesses(config):
        logger.warning("The stream %s %s", STREAM, problem)
    return info


def weaknesses(config: StreamConfig) -> list[str]:
    """Return what may lose or refuse messages in a stream that an operator has configured."""
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
