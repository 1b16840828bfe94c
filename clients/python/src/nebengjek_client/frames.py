"""Frames: what the server sends, and how a command is written. Unknown fields and types are passed on."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

logger = logging.getLogger(__name__)

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the server tells. `seq` counts the notifications of a user; frames that are none have no `seq`."""

    type: str
    data: Data
    seq: int | None = None


def encode(kind: str, data: Data, command_id: str | None = None) -> str:
    """Return a frame as text. Ids may be UUIDs and moments datetimes.

    What a frame cannot carry raises at once: a value that JSON has not, and half of a surrogate pair in a text.
    """
    frame: Data = {"type": kind, "data": data}
    if command_id is not None:
        frame["id"] = command_id
    text = json.dumps(frame, default=_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text.encode()  # if it failed only when it is sent, it would hold up everything behind it
    return text


def decode(text: str | bytes) -> Data | None:
    """Return what came over the socket; None, with a line in the log, for what is no frame."""
    try:
        frame = json.loads(text)
    except ValueError:
        frame = None
    if isinstance(frame, dict) and isinstance(frame.get("type"), str) and isinstance(frame.get("data"), dict):
        return frame
    logger.error("Not a frame: %.200r", text)
    return None


def given(**fields: Any) -> Data:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def _plain(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone.")
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be put into a frame.")
