"""What every log line carries beside its message: the connection, its user and role, the frame, and an error's code.

The consumer sets them once for its tasks, and they follow the work into the database threads. A refusal adds `code`,
and tracing adds the id of the trace. With `LOG_FORMAT=json` the fields are keys of their own. Tokens, codes and
positions are never logged at INFO and above.
"""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from common.errors import brief
from common.retrying import Repetition
from common.tracing import tracing
from common.unavailable import unavailable

FIELDS = ("connection", "user_id", "role", "frame", "code", "trace")

REPEAT_AFTER = 60.0
"""Seconds after which `Rarely` lets the same message through again."""

_context: ContextVar[dict[str, str] | None] = ContextVar("log_context", default=None)


def log_about(**fields: object) -> None:
    """Add these of `FIELDS` to every line that this task, and what it starts, logs from now on."""
    _context.set({**(_context.get() or {}), **{name: str(value) for name, value in fields.items()}})


class ContextFilter(logging.Filter):
    """Adds the fields of `log_about` to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, with its context."""
        for name, value in (_context.get() or {}).items():
            setattr(record, name, value)
        if trace := tracing.trace_id():
            record.trace = trace
        return True


class Rarely(logging.Filter):
    """Lets each message through once in `REPEAT_AFTER` seconds, whatever its arguments, and without a traceback.

    For a library that says the same again and again while a server is away.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line is to be logged."""
        now = time.monotonic()
        if now < self._said_at.get(record.msg, float("-inf")) + REPEAT_AFTER:
            return False
        self._said_at[record.msg] = now
        record.exc_info = record.exc_text = None
        return True


class Outages(logging.Filter):
    """Makes one line a minute, without a traceback, of what is logged with the exception of a server that is away.

    Views, sockets and libraries alike: an outage would fill the disk otherwise. `text` replaces what a library says.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text
        self._repetition = Repetition()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line is to be logged, and add the reason to it."""
        exc = record.exc_info[1] if record.exc_info else None
        if not isinstance(exc, unavailable()):
            return True
        reason = brief(exc)
        is_new = self._repetition.is_new(f"{record.name} {record.msg} {reason}")
        record.msg, record.args = f"{self._text or record.getMessage()}: {reason}", None
        record.exc_info = record.exc_text = None
        return is_new


class LineFormatter(logging.Formatter):
    """A line for people, with the context at its end."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the message with the context in brackets, where there is any."""
        context = " ".join(f"{name}={getattr(record, name)}" for name in FIELDS if hasattr(record, name))
        line = super().formatMessage(record)
        return f"{line} [{context}]" if context else line


class JSONFormatter(JsonFormatter):
    """A line for machines: one JSON object, with the context as keys, and the time in RFC 3339."""

    def __init__(self) -> None:
        super().__init__("{levelname}{name}{message}", style="{", timestamp=True, rename_fields={"levelname": "level"})

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Leave out what asyncio adds."""
        super().add_fields(log_data, record, message_dict)
        log_data.pop("taskName", None)
