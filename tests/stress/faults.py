"""What the distributed system loses when a plug is pulled during a burst: nothing.

    python -m tests.stress.faults [--users 200] [--rounds 100] [--only bridge …]

Starts PostgreSQL, Valkey, NATS, two web processes, two bridges and a dispatcher on this machine, connects the users to
both web processes, and lets another service publish a message to each pair of users in every round, so each user is
told of as many notifications as there are rounds. Meanwhile one thing is killed, and started again, or breaks half-way
for 10 s (`half_dead`), and a few others take whole rides (`riding`), after which the books must be right. `said` and
`well` are the seconds until `/health/detailed` names the fault, and until all is well after its end; `slowest` is its
slowest answer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import nats

from bench.burst import SETTLE_TIMEOUT, Crowd, Faults, make_tokens
from devservers.topology import Topology
from tests.stress.half_dead import HALF_DEAD, PAUSE, HalfDead
from tests.stress.riding import Trips, riding
from tests.stress.sights import Sight, recovery_of

STREAM, DURABLE = "NEBENGJEK", "bridge"
SEEN = ("said", "well", "slowest", "lines")
COLUMNS = ("published", "told", "by state", "resets", "reconnects", "lost", "doubled", "disordered", "unacked", "rides")
SAID_WITHIN, WELL_WITHIN = 5.0, 10.0
"""Seconds in which health must name what is half dead, and in which all must be well after its end."""

OUTAGE = 1.0
"""Seconds for which what was killed stays away."""


class Outcome(msgspec.Struct, kw_only=True):
    """How a burst went. `covered` are notifications that a fresh state stood in for."""

    told: int
    covered: int
    resets: int
    reconnects: int
    faults: Faults
    pending: int
    trips: Trips
    seconds: float


def kill_bridge(topology: Topology) -> None:
    """Kill the active bridge; the other one takes over, and it comes back to stand by."""
    bridge = topology.active_bridge()
    bridge.kill()
    bridge.output.clear()
    bridge.launch()


def pause_bridge(topology: Topology) -> None:
    """Stop the active bridge for longer than its lease; when it goes on, it must not disturb the one that took over."""
    bridge = topology.active_bridge()
    assert bridge.process is not None
    bridge.process.send_signal(signal.SIGSTOP)
    time.sleep(PAUSE)
    bridge.process.send_signal(signal.SIGCONT)
    bridge.output.clear()


def kill_web(topology: Topology) -> None:
    """Kill a web process; its clients come back to the other one."""
    web = topology.webs[0]
    web.kill()
    time.sleep(OUTAGE)
    web.launch()
    web.wait_until_it_answers()


def restart(topology: Topology, server: str, *, empty: bool = False) -> None:
    """Kill a server and start it again, on its data or without."""
    process: Any = getattr(topology, server)
    process.kill()
    if empty:
        process.wipe()
    time.sleep(OUTAGE)
    process.start()


def nothing(_: Topology) -> None:
    """Pull no plug."""


FAULTS: dict[str, Callable[[Topology], None]] = {
    "nothing": nothing,
    "bridge": kill_bridge,
    "bridge-paused": pause_bridge,
    "web": kill_web,
    "nats": partial(restart, server="nats"),
    "valkey": partial(restart, server="valkey"),
    "valkey-empty": partial(restart, server="valkey", empty=True),
    "postgres": partial(restart, server="postgres"),
    **HALF_DEAD,
}


async def pull(
    topology: HalfDead, tokens: dict[UUID, str], fault: str, *, rounds: int, rides: int = 0, look: bool = False
) -> Outcome:
    """Publish so many rounds while a plug is pulled in their midst, and return what everybody was told.

    Meanwhile others take so many rides, from before the fault until after its end. With `look` it is noted how long
    all takes to be well again also where something was killed.
    """
    began = time.monotonic()
    async with riding(topology.webs, rides, seed=int(began)) as trips, Crowd(tokens, topology.urls) as crowd:
        crowd.published = first = int(began * 1000)  # numbers of their own for each burst
        burst = asyncio.create_task(crowd.publish(topology.nats.url, rounds, pause=0.02))
        await asyncio.sleep(0.02 * rounds / 4)
        await asyncio.to_thread(FAULTS[fault], topology)
        if look and fault not in HALF_DEAD:
            topology.sights.append(await asyncio.to_thread(recovery_of, topology.webs[-1]))
        await burst
        if not await crowd.all_is_told(SETTLE_TIMEOUT):  # some were given the state instead: the stream goes on for all
            await crowd.publish(topology.nats.url, 1)
            assert await crowd.all_is_told(SETTLE_TIMEOUT)
        pending = await unacknowledged(topology.nats.url)
        rounds = crowd.published - first
        faults = [listener.check(first, rounds) for listener in crowd.listeners]
        told = sum(len(set(listener.numbers)) for listener in crowd.listeners)
        return Outcome(
            told=told,
            covered=sum(rounds - len(set(listener.numbers)) for listener in crowd.listeners if listener.resets),
            resets=sum(len(listener.resets) for listener in crowd.listeners),
            reconnects=sum(listener.reconnects for listener in crowd.listeners),
            faults=Faults(
                sum(fault.lost for fault in faults),
                sum(fault.doubled for fault in faults),
                sum(fault.out_of_order for fault in faults),
            ),
            pending=pending,
            trips=trips,
            seconds=time.monotonic() - began,
        )


async def unacknowledged(url: str) -> int:
    """Return how many messages the stream still has for the bridge; waits a little for the last acknowledgements."""
    client = await nats.connect(url)
    try:
        for _ in range(100):
            info = await client.jetstream().consumer_info(STREAM, DURABLE)
            pending = (info.num_pending or 0) + (info.num_ack_pending or 0)
            if not pending:
                break
            await asyncio.sleep(0.1)
        return pending
    finally:
        await client.close()


def cells_of(sight: Sight) -> tuple[str, ...]:
    """Return the cells of the table for what an operator sees, in seconds and lines."""
    said, well = ("-" if moment is None else f"{moment:.1f}" for moment in (sight.said_after, sight.well_after))
    return said, well, f"{sight.answered_within:.1f}", str(sight.lines)


def late(sight: Sight, shows: str | None) -> Iterator[str]:
    """Say what of a fault was seen too late, or never."""
    if shows is not None and (sight.said_after is None or sight.said_after > SAID_WITHIN):
        yield f"health did not name it within {SAID_WITHIN:g} s"
    if sight.well_after is None or sight.well_after > WELL_WITHIN:
        yield f"all was not well within {WELL_WITHIN:g} s of its end"


def main(arguments: Sequence[str]) -> int:
    """Pull each plug in turn and print a table; return 1 where anything was lost, doubled or out of order."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.stress.faults", description="What is lost when a plug is pulled."
    )
    parser.add_argument("--users", type=int, default=200, help="sockets, on two web processes (%(default)s)")
    parser.add_argument("--rounds", type=int, default=100, help="notifications to each of them (%(default)s)")
    parser.add_argument("--rides", type=int, default=6, help="rides that others take meanwhile (%(default)s)")
    parser.add_argument("--only", nargs="*", choices=list(FAULTS), default=list(FAULTS), help="which plugs (all)")
    options = parser.parse_args(arguments)
    good = True
    write = sys.stdout.write
    with tempfile.TemporaryDirectory(prefix="bench-faults-") as folder, HalfDead(Path(folder)) as topology:
        tokens = make_tokens(topology, options.users)
        write(f"{'plug':18}{' '.join(f'{name:>10}' for name in (*COLUMNS, *SEEN))}\n")
        for fault in options.only:
            pulled = pull(topology, tokens, fault, rounds=options.rounds, rides=options.rides, look=True)
            outcome = asyncio.run(pulled)
            faults = outcome.faults
            cells = (
                options.users * options.rounds, outcome.told, outcome.covered, outcome.resets, outcome.reconnects,
                faults.lost, faults.doubled, faults.out_of_order, outcome.pending, outcome.trips.over,
            )  # fmt: skip
            seen = cells_of(topology.sights[-1])
            write(f"{fault:18}{' '.join(f'{cell:>10}' for cell in (*cells, *seen))}\n")
            sys.stdout.flush()
            audit = topology.webs[0].manage("audit")
            broken = [*outcome.trips.broken, *([audit.stdout + audit.stderr] if audit.returncode else [])]
            broken += late(topology.sights[-1], HALF_DEAD[fault].shows if fault in HALF_DEAD else None)
            write("".join(f"    {text}\n" for text in broken))
            good &= faults == Faults() and not outcome.pending and not broken
    return 0 if good else 1


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    os.environ.setdefault("DEBUG", "true")
    sys.exit(main(sys.argv[1:]))
