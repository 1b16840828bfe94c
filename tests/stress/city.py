"""The city on the distributed system, also while its processes are killed and frozen.

    python -m tests.stress.city [--faults] [--drivers 20] [--passengers 15] [--rides 30] [--speed 30] [--seed 1]

Starts PostgreSQL, Valkey, NATS, two web processes behind a proxy, two bridges and a dispatcher on this machine, and
lets `manage.py simulate --city` run on them. With `--faults` every process of ours in turn is killed (SIGKILL) and
started again, or frozen (SIGSTOP) for a while. Returns 1 where a promise was broken or the books are wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections import Counter
from itertools import cycle
from pathlib import Path
from typing import Any

from common.background_tasks import end
from devservers.topology import Topology
from devservers.web import ServerProcess
from nebengjek.settings import BASE_DIR
from tests.stress.balancer import Balancer

PARSER = argparse.ArgumentParser(prog="python -m tests.stress.city", description="The city on many processes.")
PARSER.add_argument("--faults", action="store_true", help="kill and freeze processes meanwhile")
PARSER.add_argument("--pause", type=float, default=4, help="seconds between two faults (%(default)s)")
PARSER.add_argument("--drivers", type=int, default=20, help="drivers (%(default)s)")
PARSER.add_argument("--passengers", type=int, default=15, help="passengers (%(default)s)")
PARSER.add_argument("--rides", type=int, default=30, help="rides (%(default)s)")
PARSER.add_argument("--speed", type=float, default=30, help="times faster than in town (%(default)s)")
PARSER.add_argument("--seed", type=int, default=1, help="of everything that is random (%(default)s)")
PARSER.add_argument("--report", default="", help="write the report as a page")

ENV: Any = {
    "RIDES_MAX_SPEED_KMH": "0",
    "MATCH_RESPONSE_TIMEOUT": "5s",
    "WS_COMMAND_RATE": "0",
    "WS_COSTLY_RATE": "0",
    "WS_CONNECT_RATE": "0",
    "API_THROTTLE": "0",
    "OTP_MAX_PER_HOUR": "0",
}
FROZEN = 2.0
"""Seconds; the lease of a bridge ends after 3."""


async def disturb(topology: Topology, pause: float, done: Counter[str]) -> None:
    """Kill or freeze the processes in turn, for ever."""
    for turn, process in enumerate(cycle(topology.processes)):
        await asyncio.sleep(pause)
        if turn // len(topology.processes) % 2 == turn % 2:
            await _kill(process, is_web=process in topology.webs)
            done["killed"] += 1
        else:
            await _freeze(process)
            done["frozen"] += 1


async def _kill(process: ServerProcess, *, is_web: bool) -> None:
    await asyncio.to_thread(process.kill)
    process.launch()
    if is_web:
        await asyncio.to_thread(process.wait_until_it_answers)


async def _freeze(process: ServerProcess) -> None:
    assert process.process is not None
    process.process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(FROZEN)
    finally:
        process.process.send_signal(signal.SIGCONT)


async def live(options: argparse.Namespace, topology: Topology, done: Counter[str]) -> int:
    """Run the city in a process that shares the database; return its exit code."""
    async with Balancer([int(web.command[-1]) for web in topology.webs]) as balancer:
        names = ("drivers", "passengers", "rides", "speed", "seed", "report")
        arguments = [f"--{name}={value}" for name in names if (value := getattr(options, name))]
        url = f"http://127.0.0.1:{balancer.port}"
        command = [sys.executable, "manage.py", "simulate", "--city", "--url", url, *arguments]
        env = {**topology.webs[0].env, **topology.env}
        city = await asyncio.create_subprocess_exec(*command, cwd=BASE_DIR, env=env)
        faults = asyncio.create_task(disturb(topology, options.pause, done) if options.faults else asyncio.sleep(0))
        try:
            return await city.wait()
        finally:
            await end(faults)


def main() -> int:
    """Start everything, let the city live, check the books; return 1 where anything is wrong."""
    options = PARSER.parse_args()
    done = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="city-") as folder, Topology(Path(folder), **ENV) as topology:
        code = asyncio.run(live(options, topology, done))
        audit = topology.webs[0].manage("audit")
    show = sys.stdout.write
    show(f"Processes: {', '.join(f'{count} times {what}' for what, count in done.items()) or 'left alone'}.\n")
    if audit.returncode:
        show(f"WRONG: {audit.stdout}{audit.stderr}\n")
    return code or audit.returncode


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    sys.exit(main())
