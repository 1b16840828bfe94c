"""The channel layer: Channels' own in-memory layer against ours, by the number of users.

    python -m bench.layer [--share 1]

Each user has one channel in a group of their own. Both layers carry the same messages, in turns; printed is the time of
one `group_send` with its `receive`, the median of the turns, and the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from channels.layers import InMemoryChannelLayer

from bench.report import say
from realtime.delivery.layers.memory import InProcessChannelLayer

TURNS = 5
MESSAGES = {100: 2000, 1000: 500, 10_000: 20}


async def prepare(layer: Any, users: int) -> list[str]:
    """Open a channel and a group for each user."""
    channels = [await layer.new_channel() for _ in range(users)]
    for number, channel in enumerate(channels):
        await layer.group_add(f"user_{number}", channel)
    return channels


async def measure(layer: Any, channels: list[str], messages: int) -> float:
    """Return the seconds that one message to one user takes."""
    begun = time.perf_counter()
    for number in range(messages):
        user = number % len(channels)
        await layer.group_send(f"user_{user}", {"type": "x"})
        await layer.receive(channels[user])
    return (time.perf_counter() - begun) / messages


async def compare(share: float) -> None:
    """Print a line for each number of users."""
    for users, messages in MESSAGES.items():
        count = max(1, int(messages * share))
        layers = (InMemoryChannelLayer(), InProcessChannelLayer())
        channels = [await prepare(layer, max(1, int(users * share))) for layer in layers]
        turns: list[list[float]] = [[], []]
        for _ in range(TURNS):
            for times, layer, own in zip(turns, layers, channels, strict=True):
                times.append(await measure(layer, own, count))
        stock, ours = (statistics.median(times) * 1e6 for times in turns)
        say(f"{users * share:6.0f} users: stock {stock:9.1f} us, ours {ours:5.1f} us, ratio {stock / ours:7.1f}")


def main(arguments: Sequence[str]) -> None:
    """Compare the layers."""
    parser = argparse.ArgumentParser(prog="python -m bench.layer", description="The channel layer.")
    parser.add_argument("--share", type=float, default=1, help="of the users and messages (%(default)s)")
    asyncio.run(compare(parser.parse_args(arguments).share))


if __name__ == "__main__":
    main(sys.argv[1:])
