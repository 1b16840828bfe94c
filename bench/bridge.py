"""A burst of another service's messages through NATS, the bridge, Redis and one web process to the sockets.

    python -m bench.bridge [--users 100] [--rounds 100] [--bursts 3]

Every round is a bare `match.found` for each pair of users, so each of them is told once. Prints how many notifications
a second came through, and what each cost the processes in processor time; clients and publisher share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.burst import SETTLE_TIMEOUT, Crowd, make_tokens
from bench.process import cpu_seconds
from bench.report import say
from devservers.topology import Topology


async def measure(topology: Topology, users: int, rounds: int) -> str:
    """Publish the rounds as fast as NATS takes them; return what it took."""
    assert topology.webs[0].process is not None
    assert topology.bridges[0].process is not None
    pids = {
        "web": topology.webs[0].process.pid, "bridge": topology.bridges[0].process.pid,
        "valkey": topology.valkey.pid, "nats": topology.nats.pid,
    }  # fmt: skip
    async with Crowd(make_tokens(topology, users), topology.urls) as crowd:
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        began = time.perf_counter()
        crowd.published = int(began * 1000)  # numbers of their own for each burst
        await crowd.publish(topology.nats.url, rounds)
        assert await crowd.all_is_told(SETTLE_TIMEOUT)
        seconds = time.perf_counter() - began
        count = users * rounds
        assert sum(len(listener.numbers) for listener in crowd.listeners) == count
        costs = [f"{name} {(cpu_seconds(pid) - before[name]) / count * 1e6:.0f} µs" for name, pid in pids.items()]
        return f"{count} notifications, all told, {count / seconds:.0f} a second; each cost {', '.join(costs)}."


def main(arguments: Sequence[str]) -> None:
    """Measure some times."""
    parser = argparse.ArgumentParser(prog="python -m bench.bridge", description="A burst through the bridge.")
    parser.add_argument("--users", type=int, default=100, help="connected users (%(default)s)")
    parser.add_argument("--rounds", type=int, default=100, help="notifications to each of them (%(default)s)")
    parser.add_argument("--bursts", type=int, default=3, help="so many times (%(default)s)")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="bench-bridge-") as folder,
        Topology(Path(folder), webs=1, bridges=1) as topology,
    ):
        for _ in range(options.bursts):
            say(asyncio.run(measure(topology, options.users, options.rounds)))


if __name__ == "__main__":
    main(sys.argv[1:])
