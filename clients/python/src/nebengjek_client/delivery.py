"""Commands and positions go out, one after the other, and get their answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from nebengjek_client.connection import Connection
from nebengjek_client.errors import (
    CommandTooLarge,
    InternalError,
    RateLimited,
    Unauthorized,
    ValidationFailed,
    server_error,
)
from nebengjek_client.frames import Data
from nebengjek_client.queue import CommandQueue, QueuedCommand, QueuedPosition

logger = logging.getLogger(__name__)

RATE_LIMIT_WAIT = 0.1
"""Seconds that are waited at least before something over the rate limit is sent again."""

POSITIONS_PER_SHOWN = 5
"""Positions that are sent for each that the server shows (`limits.location_rate`): half of what it takes."""

POSITIONS_BURST = 10
"""Seconds whose positions go out at once: half of what the server takes, again."""

SETTLES_NOTHING = frozenset({"sync"})
"""Commands that the server answers without a look at the positions before them."""

Refused = Callable[[Data], object]
"""Called with the data of the error that a position got."""


class PositionPace:
    """How many positions may go out over one connection; a `location_rate` of 0 is no limit."""

    def __init__(self, location_rate: float) -> None:
        self._rate = POSITIONS_PER_SHOWN * location_rate
        self._room = POSITIONS_BURST * self._rate
        self._seen = time.monotonic()

    def take(self) -> float:
        """Take one; return 0, or after how many seconds there will be one."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        self._room = min(POSITIONS_BURST * self._rate, self._room + (now - self._seen) * self._rate)
        self._seen = now
        if self._room < 1:
            return (1 - self._room) / self._rate
        self._room -= 1
        return 0.0


async def deliver(queue: CommandQueue, connection: Connection, refused: Refused) -> None:
    """Send what waits, for ever, and first of all the positions that an earlier connection may have lost.

    Raises `ConnectionLost`; what has no answer by then is still in the queue.
    """
    queue.send_again()
    pace = PositionPace(connection.location_rate)
    while True:
        entry = await queue.head()
        try:
            if isinstance(entry, QueuedCommand):
                await _deliver_command(queue, connection, entry)
            elif wait := pace.take():
                await asyncio.sleep(wait)
            else:
                await _deliver_position(queue, connection, entry, refused)
        except CommandTooLarge as exc:
            logger.error("Not sent: %s", exc)
            if isinstance(entry, QueuedCommand):
                queue.settle(entry, exc)
            queue.remove(entry)


async def _deliver_command(queue: CommandQueue, connection: Connection, command: QueuedCommand) -> None:
    """Send a command and hand it its answer; over the rate limit, only wait: it stays at the head."""
    command.sent = True
    frame = await connection.ask(command.text, command.id)
    error = server_error(frame["data"]) if frame["type"] == "error" else None
    if isinstance(error, RateLimited):
        await asyncio.sleep(max(error.retry_after or 0.0, RATE_LIMIT_WAIT))
        return
    if command.kind not in SETTLES_NOTHING and (error is None or isinstance(error, ValidationFailed | Unauthorized)):
        queue.confirm()  # the server books a driver's positions before it carries out what follows them
    queue.settle(command, frame["data"] if error is None else error)


async def _deliver_position(
    queue: CommandQueue, connection: Connection, position: QueuedPosition, refused: Refused
) -> None:
    """Send a position; now and then ask for an answer, which confirms those before it too."""
    if not queue.asks_for_confirmation(position):
        await connection.send(position.text)
        queue.sent(position)
        return
    command_id = queue.new_id()
    frame = await connection.ask(position.text_with(command_id), command_id)
    error = server_error(frame["data"]) if frame["type"] == "error" else None
    if isinstance(error, RateLimited):
        await asyncio.sleep(max(error.retry_after or 0.0, RATE_LIMIT_WAIT))
    elif isinstance(error, InternalError):
        queue.sent(position)  # it may be booked later, or not: another answer will tell
        refused(frame["data"])
    elif error is not None:
        queue.remove(position)
        refused(frame["data"])
    else:
        queue.remove(position)
        queue.confirm()
