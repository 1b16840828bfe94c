"""The city on the distributed system, also while everything that it runs on is killed, frozen and restarted.

    python -m tests.stress.city [--faults] [--drivers 20] [--passengers 15] [--rides 30] [--speed 30] [--seed 1]

Starts PostgreSQL, Valkey, NATS, two web processes (or more), two bridges and a dispatcher on this machine, and lets
`manage.py simulate --city` run on them. With `--faults` each of these in turn is killed (SIGKILL) and started again,
frozen (SIGSTOP) for a while, and restarted in good order. Returns 1 where a promise was broken or the books are wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shlex
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle, zip_longest
from pathlib import Path
from typing import Any

import psutil

from devservers.process import Server
from devservers.topology import Topology
from devservers.web import ServerProcess
from nebengjek.settings import BASE_DIR
from simulation.city.log import Log
from simulation.city.record import Fault, Sample

FROZEN = 2.0
"""Seconds; the lease of a bridge ends after 3."""

OUTAGE = 1.0
"""Seconds for which a server that was killed or stopped stays away."""

ENV: Any = {
    "RIDES_MAX_SPEED_KMH": "0",
    "MATCH_RESPONSE_TIMEOUT": "15s",
    "SEARCH_FREE_CANCELS": "0",
    "WS_COMMAND_RATE": "0",
    "WS_COSTLY_RATE": "0",
    "WS_CONNECT_RATE": "0",
    "API_THROTTLE": "0",
    "OTP_MAX_PER_HOUR": "0",
}

SAMPLED = 2.0
"""Seconds between two looks at what everything uses."""

Target = ServerProcess | Server


async def kill(target: Target, *, is_web: bool) -> None:
    """End it without any warning, and start it again."""
    await asyncio.to_thread(target.kill)
    await _start_again(target, is_web=is_web)


async def restart(target: Target, *, is_web: bool) -> None:
    """End it in good order, and start it again."""
    await asyncio.to_thread(target.stop)
    await _start_again(target, is_web=is_web)


async def freeze(target: Target, *, is_web: bool) -> None:
    """Let it and all its processes neither take nor give a byte for a while; connections stay open."""
    family = _family(target)
    _signal(family, signal.SIGSTOP)
    try:
        await asyncio.sleep(FROZEN)
    finally:
        _signal(family, signal.SIGCONT)


FAULTS: dict[str, Callable[..., Awaitable[None]]] = {"kill": kill, "freeze": freeze, "restart": restart}

PARSER = argparse.ArgumentParser(prog="python -m tests.stress.city", description="The city on many processes.")
PARSER.add_argument("--faults", nargs="*", choices=list(FAULTS), metavar="FAULT", help="kill, freeze, restart (all)")
PARSER.add_argument("--only", choices=["processes", "servers"], help="what faults happen to (both)")
PARSER.add_argument("--every", type=float, default=60, help="seconds in which each fault happens to each (%(default)s)")
PARSER.add_argument("--settings", nargs="+", default=[], metavar="NAME=VALUE", help="of the servers")
PARSER.add_argument("--webs", type=int, default=2, help="web processes (%(default)s)")
PARSER.add_argument("--drivers", type=int, default=20, help="drivers (%(default)s)")
PARSER.add_argument("--passengers", type=int, default=15, help="passengers (%(default)s)")
PARSER.add_argument("--rides", type=int, default=30, help="rides (%(default)s)")
PARSER.add_argument("--over", type=float, default=0, help="seconds over which the rides begin (%(default)s)")
PARSER.add_argument("--moods", nargs="+", default=[], metavar="MOOD=SHARE", help="another mix of people")
PARSER.add_argument("--speed", type=float, default=30, help="times faster than in town (%(default)s)")
PARSER.add_argument("--seed", type=int, default=1, help="of everything that is random (%(default)s)")
PARSER.add_argument("--report", default="", help="write the report as a page")
PARSER.add_argument("--into", default="", metavar="FILE.md#MARK", help="write the report into a page")
PARSER.add_argument("--evidence", default="", help="where the frames of violations are kept")


async def watch(topology: Topology, log: Log, enough: asyncio.Event) -> None:
    """Write down what everything uses, every few seconds, until it is enough."""
    while not await _wait(enough, SAMPLED):
        for name, target in _targets(topology, None):
            with contextlib.suppress(psutil.NoSuchProcess):
                family = _family(target)
                cpu = sum(sum(process.cpu_times()[:2]) for process in family)
                memory = sum(process.memory_info().rss for process in family)
                log.write(Sample(time.time(), name, family[0].pid, cpu, memory))


async def disturb(
    topology: Topology, options: argparse.Namespace, log: Log, done: Counter[str], enough: asyncio.Event
) -> None:
    """Let every fault happen to everything in turn until it is enough; then all runs again.

    One at a time, at fixed times: how long it takes until something runs again makes no fault rarer.
    """
    targets = _alternating(list(_targets(topology, options.only)))
    faults = options.faults or list(FAULTS)
    pause = options.every / len(targets) / len(faults)
    due = time.monotonic()
    for turn, (name, target) in enumerate(cycle(targets)):
        fault = faults[(turn % len(targets) + turn // len(targets)) % len(faults)]  # another one in each round
        due = max(due + pause, time.monotonic())
        if await _wait(enough, due - time.monotonic()):
            return
        begun = time.time()
        await FAULTS[fault](target, is_web=name.startswith("web"))
        log.write(Fault(begun, time.time(), name, fault))
        done[fault] += 1


async def _wait(enough: asyncio.Event, seconds: float) -> bool:
    """Wait for so long, and return whether it is enough."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await enough.wait()
    return enough.is_set()


def _family(target: Target) -> list[psutil.Process]:
    """Return a process and all that it has started; nothing of one that is being started again."""
    process = target.process
    if process is None:
        raise psutil.NoSuchProcess(0)
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def _alternating(targets: list[tuple[str, Target]]) -> list[tuple[str, Target]]:
    """Put something else between two web processes: all phones of one come back at once, and go to the others."""
    webs = [target for target in targets if target[0].startswith("web")]
    others = [target for target in targets if target not in webs]
    return [target for pair in zip_longest(webs, others) for target in pair if target is not None]


def _targets(topology: Topology, only: str | None) -> Iterator[tuple[str, Target]]:
    if only != "servers":
        yield "dispatcher", topology.dispatcher
        yield from ((f"bridge-{n}", bridge) for n, bridge in enumerate(topology.bridges, 1))
        yield from ((f"web-{n}", web) for n, web in enumerate(topology.webs, 1))
    if only != "processes":
        yield from [("valkey", topology.valkey), ("postgres", topology.postgres), ("nats", topology.nats)]


async def _start_again(target: Target, *, is_web: bool) -> None:
    if isinstance(target, Server):
        await asyncio.sleep(OUTAGE)
        await asyncio.to_thread(target.start)
        return
    target.output.clear()
    target.launch()
    if is_web:
        await asyncio.to_thread(target.wait_until_it_answers)


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


async def live(options: argparse.Namespace, topology: Topology, folder: Path, done: Counter[str]) -> int:
    """Run the city in a process that shares the database; return its exit code."""
    names = ("drivers", "passengers", "rides", "over", "speed", "seed", "report", "into", "evidence")
    arguments = [f"--{name}={value}" for name in names if (value := getattr(options, name))]
    arguments += ["--moods", *options.moods] if options.moods else []
    called = " ".join(["python -m tests.stress.city", *map(shlex.quote, sys.argv[1:])])
    place = ["--called", called, "--url", ",".join(topology.urls), "--log", str(folder / "log")]
    command = [sys.executable, "manage.py", "simulate", "--city", *place, *arguments]
    log, enough = Log(folder / "log"), asyncio.Event()
    tasks = [asyncio.create_task(watch(topology, log, enough))]
    if options.faults is not None:
        tasks.append(asyncio.create_task(disturb(topology, options, log, done, enough)))
    city = await asyncio.create_subprocess_exec(*command, cwd=BASE_DIR, env={**topology.webs[0].env, **topology.env})
    try:
        return await city.wait()
    finally:
        enough.set()
        await asyncio.gather(*tasks)
        log.close()


def run(options: argparse.Namespace, topology: Topology, folder: Path) -> int:
    """Let the city live on a running system, and check the books; return what is not 0 where anything is wrong."""
    done = Counter[str]()
    code = asyncio.run(live(options, topology, folder, done))
    audit = topology.webs[0].manage("audit")
    show = sys.stdout.write
    show(f"Faults: {', '.join(f'{count} times {fault}' for fault, count in done.items()) or 'none'}.\n")
    if audit.returncode:
        show(f"WRONG: {audit.stdout}{audit.stderr}\n")
    return code or audit.returncode


def main() -> int:
    """Start everything, let the city live, check the books; return what is not 0 where anything is wrong."""
    options = PARSER.parse_args()
    with tempfile.TemporaryDirectory(prefix="city-") as folder:
        env = {**ENV, **dict(text.split("=", 1) for text in options.settings)}
        with Topology(Path(folder), webs=options.webs, **env) as topology:
            return run(options, topology, Path(folder))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    sys.exit(main())
