"""One shard and two, in turn: what a notification costs the bridges and the Valkeys, and so what they can carry.

    python -m bench.shards [--users 200] [--rounds 50] [--turns 3]

Both systems run, and are measured one after the other (A B A B). Every event is for a pair of people, of whom half are
of different shards, so it is published to both. First the events come from the outbox, as ours do: the relay's work is
in it. Then the streams are filled directly while the bridges are held: what is left is delivery, in batches as large as
they become where a bridge is at its end. All that was published is counted at the sockets. On a machine with few cores
the processes wait for each other, so what counts is the processor time of the busiest process: where it is at its end,
so is the whole.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from math import nan
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import nats
from django.conf import settings

from bench.burst import SETTLE_TIMEOUT, Crowd, Faults, make_tokens
from bench.process import cpu_seconds
from bench.report import say
from common.shards import shard_of
from devservers.topology import Topology
from events.buses.jetstream import message_in, message_of
from events.models import OutboxEvent
from events.signature import SIGNATURE_HEADER, signature_of

MESSAGES_AT_ONCE = 100

WRITE = """
import json, sys
from events.models import OutboxEvent
pairs = json.loads({pairs!r})
OutboxEvent.objects.bulk_create([
    OutboxEvent(
        key=str(n), type="match_proposal", subject="match.found", audience=dict.fromkeys(pair),
        data={{"match_id": f"{{number}}-{{n}}", "driver_id": pair[0], "passenger_id": pair[1], "number": number}},
    )
    for number in range({first}, {first} + {rounds}) for n, pair in enumerate(pairs)
], batch_size=2000)
"""


class System:
    """A running system with its crowd of users, and what was measured of it."""

    def __init__(self, folder: Path, shards: int) -> None:
        self.shards = shards
        bridges = 1 if shards == 1 else shards + 1  # the relay is a part of its own
        self.topology = Topology(folder, shards, webs=1, bridges=bridges)
        self.tokens: dict[UUID, str] = {}
        self.published = 0
        self.found: dict[str, list[dict[str, float]]] = {}

    @property
    def name(self) -> str:
        """What it is called in the lines that are printed."""
        return f"{self.shards} shard{'s' * (self.shards > 1)}"

    def pids(self) -> dict[str, int]:
        """Return the processes by name."""
        pids = {f"bridge {number}": process.pid for number, process in enumerate(self._bridges())}
        pids |= {f"valkey {number}": valkey.pid for number, valkey in enumerate(self.topology.valkeys)}
        assert self.topology.webs[0].process is not None
        return pids | {"web": self.topology.webs[0].process.pid, "nats": self.topology.nats.pid}

    def _bridges(self) -> list[Any]:
        return [bridge.process for bridge in self.topology.bridges]

    async def measure(self, source: str, publish: Callable[[Crowd, int], Awaitable[None]], rounds: int) -> None:
        """Publish so many rounds, wait until all are told, and keep what it took."""
        settings.REDIS_SHARDS = [valkey.url for valkey in self.topology.valkeys[1:]]
        async with Crowd(self.tokens, self.topology.urls) as crowd:
            crowd.published = self.published
            before = {name: cpu_seconds(pid) for name, pid in self.pids().items()}
            began = time.perf_counter()
            await publish(crowd, rounds)
            crowd.published = self.published = self.published + rounds
            assert await crowd.all_is_told(SETTLE_TIMEOUT)
            seconds = time.perf_counter() - began
            count = len(self.tokens) * rounds
            assert all(listener.check(0, rounds) == Faults() for listener in crowd.listeners)
            cost = {name: (cpu_seconds(pid) - before[name]) / count * 1e6 for name, pid in self.pids().items()}
        figures = {"a second": count / seconds, **cost}
        self.found.setdefault(source, []).append(figures)
        costs = ", ".join(f"{name} {value:.0f} µs" for name, value in cost.items())
        say(f"{self.name}, {source}: {count} notifications, all told, {count / seconds:.0f}/s; each cost {costs}.")

    async def from_outbox(self, crowd: Crowd, rounds: int) -> None:
        """Write events to the outbox, all in one transaction."""
        pairs = json.dumps([[str(driver), str(passenger)] for driver, passenger in crowd.pairs])
        code = WRITE.format(pairs=pairs, first=self.published, rounds=rounds)
        done = await asyncio.to_thread(self.topology.webs[0].manage, "shell", "--verbosity", "0", "-c", code)
        assert done.returncode == 0, done.stderr

    async def into_streams(self, crowd: Crowd, rounds: int) -> None:
        """Publish what the relay would, made beforehand and without waiting for answers, while the bridges are held."""
        messages = [
            message
            for number in range(self.published, self.published + rounds)
            for n, pair in enumerate(crowd.pairs)
            for message in self._messages(number, n, pair)
        ]
        client = await nats.connect(self.topology.nats.url)
        bridges = [process.pid for process in self._bridges()]
        for pid in bridges:
            os.kill(pid, signal.SIGSTOP)
        for place, (subject, payload, headers) in enumerate(messages):
            await client.publish(subject, payload, headers=headers)
            if place % MESSAGES_AT_ONCE == 0:
                await client.flush()
        await client.flush()
        await client.close()
        for pid in bridges:
            os.kill(pid, signal.SIGCONT)

    def _messages(self, number: int, n: int, pair: tuple[UUID, UUID]) -> list[tuple[str, bytes, dict[str, str]]]:
        driver, passenger = map(str, pair)
        data = {"match_id": f"{number}-{n}", "driver_id": driver, "passenger_id": passenger, "number": number}
        audience: dict[str, Any] = {driver: None, passenger: None}
        event = OutboxEvent(key=str(n), type="match_proposal", subject="match.found", data=data, audience=audience)
        made = [(event.subject, *message_of(event))]
        if self.shards > 1:
            made = [message_in(event, shard) for shard in sorted({shard_of(driver), shard_of(passenger)})]
        for subject, payload, headers in made:
            headers[SIGNATURE_HEADER] = signature_of(subject, payload, headers)
        return made

    def busiest(self, source: str, kind: str) -> float:
        """Return what a notification costs the busiest process of a kind: the median of all turns."""
        return median(max(value for name, value in one.items() if name.startswith(kind)) for one in self.found[source])

    def rate(self, source: str) -> float:
        """Return the notifications a second: the median of all turns."""
        return median(one["a second"] for one in self.found[source])


def compare(one: System, two: System, source: str) -> str:
    """Return by how much two shards carry more than one."""
    ratios = {
        kind: one.busiest(source, kind) / (two.busiest(source, kind) or nan)  # too short for the clock of the system
        for kind in ("bridge", "valkey")
    }
    parts = ", ".join(f"of the busiest {kind} {ratio:.2f}" for kind, ratio in ratios.items())
    rate = two.rate(source) / one.rate(source)
    return (
        f"Two shards beside one, {source}: capacity {parts}; on this machine {rate:.2f} of the notifications a second."
    )


async def measure_both(systems: Sequence[System], rounds: int, turns: int) -> None:
    """Measure in turn."""
    for source in ("from the outbox", "into the streams"):
        for _ in range(turns):
            for system in systems:
                publish = system.from_outbox if source == "from the outbox" else system.into_streams
                await system.measure(source, publish, rounds)
        say(compare(systems[0], systems[1], source))


def main(arguments: Sequence[str]) -> None:
    """Start both systems, and measure some times."""
    parser = argparse.ArgumentParser(prog="python -m bench.shards", description="One shard and two.")
    parser.add_argument("--users", type=int, default=200, help="connected users (%(default)s)")
    parser.add_argument("--rounds", type=int, default=50, help="notifications to each of them (%(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="so many times (%(default)s)")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-shards-")))
        systems = [System(folder / str(shards), shards) for shards in (1, 2)]
        for system in systems:
            stack.enter_context(system.topology)
            system.tokens = make_tokens(system.topology, options.users)
        asyncio.run(measure_both(systems, options.rounds, options.turns))


if __name__ == "__main__":
    main(sys.argv[1:])
