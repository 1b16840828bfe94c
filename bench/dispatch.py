"""A frame through the consumer: the stock `AsyncJsonWebsocketConsumer` of Channels against ours.

    python -m bench.dispatch [--frames 5000]

Both answer each frame with one frame, without a network: the stock one echoes what it decoded, ours checks the
envelope, finds no such command and says so, which is its shortest way. Printed is the time of one frame, the median of
the turns.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from bench.report import say
from realtime.socket import consumer, notification_stream
from users.tokens import Claims

TURNS = 5
FRAME = '{"type": "probe", "data": {"latitude": -6.2, "longitude": 106.8}}'


class Echo(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # Channels has no type hints
    """What a tutorial would write."""

    async def receive_json(self, content: Any, **_: Any) -> None:
        """Send it back."""
        await self.send_json(content)


async def measure(app: Any, frames: int) -> float:
    """Return the seconds that one frame and its answer take."""
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    answered = asyncio.Semaphore(0)

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            answered.release()

    claims = Claims(user_id=UUID(int=1), role="passenger", exp=9e9)
    scope = {
        "type": "websocket",
        "path": "/ws/",
        "query_string": b"",
        "headers": [],
        "claims": claims,
        "subprotocol": None,
    }
    await incoming.put({"type": "websocket.connect"})
    task = asyncio.create_task(app(scope, incoming.get, send))
    await asyncio.sleep(0.2)
    begun = time.perf_counter()
    for _ in range(frames):
        await incoming.put({"type": "websocket.receive", "text": FRAME})
        await answered.acquire()
    taken = time.perf_counter() - begun
    await incoming.put({"type": "websocket.disconnect", "code": 1000})
    await asyncio.gather(task, return_exceptions=True)
    return taken / frames


async def compare(frames: int) -> None:
    """Print both times and their ratio."""
    nobody = SimpleNamespace(proposals=[])
    vars(notification_stream)["read_state"] = lambda _claims: (nobody, None)  # no database: this is about frames
    vars(notification_stream)["ready_frame"] = lambda *_, **__: {"type": "session_ready", "data": {}}
    settings.WS_COMMAND_RATE = 0
    logging.disable(logging.INFO)
    turns: list[list[float]] = [[], []]
    for _ in range(TURNS):
        for times, app in zip(turns, (Echo.as_asgi(), consumer.UserConsumer.as_asgi()), strict=True):
            times.append(await measure(app, frames))
    stock, ours = (statistics.median(times) * 1e6 for times in turns)
    say(f"one frame and its answer: stock {stock:.1f} us, ours {ours:.1f} us, ratio {stock / ours:.1f}")


def main(arguments: Sequence[str]) -> None:
    """Compare the consumers."""
    parser = argparse.ArgumentParser(prog="python -m bench.dispatch", description="A frame through the consumer.")
    parser.add_argument("--frames", type=int, default=5000, help="in each of the turns (%(default)s)")
    asyncio.run(compare(parser.parse_args(arguments).frames))


if __name__ == "__main__":
    main(sys.argv[1:])
