"""Commands go out, one after the other, and get their answers."""

from __future__ import annotations

import asyncio
import logging

from nebengjek_client.connection import Connection
from nebengjek_client.errors import CommandTooLarge, RateLimited, server_error
from nebengjek_client.queue import CommandQueue, QueuedCommand

logger = logging.getLogger(__name__)

RATE_LIMIT_WAIT = 0.1
"""Seconds that are waited at least before a command over the rate limit is sent again."""


async def deliver(queue: CommandQueue, connection: Connection) -> None:
    """Send what waits, for ever. Raises `ConnectionLost`; what has no answer by then is still in the queue."""
    while True:
        command = await queue.head()
        try:
            if command.answer is None:
                await connection.send(command.text)
                queue.remove(command)
            else:
                await _deliver_command(queue, connection, command)
        except CommandTooLarge as exc:
            logger.error("Not sent: %s", exc)
            queue.settle(command, exc)


async def _deliver_command(queue: CommandQueue, connection: Connection, command: QueuedCommand) -> None:
    """Send a command and hand it its answer; over the rate limit, only wait: it stays at the head."""
    command.sent = True
    frame = await connection.ask(command.text, command.id)
    if frame["type"] == "ack":
        queue.settle(command, frame["data"])
        return
    error = server_error(frame["data"])
    if isinstance(error, RateLimited):
        await asyncio.sleep(max(error.retry_after or 0.0, RATE_LIMIT_WAIT))
    else:
        queue.settle(command, error)
