"""Deploying at rush hour: what riders notice when web processes are restarted, one after the other, and killed.

    python -m tests.stress.rolling [--people 100] [--rides 200] [--speed 10] [--from COMMIT]

Starts PostgreSQL, Valkey, NATS, two web processes behind a proxy, a bridge and a dispatcher on this machine, and lets
as many drivers as passengers take rides. Meanwhile the web processes are stopped with SIGTERM and started again, in
turn, and every third time one is killed. Every ride must be completed and paid once, and of what each phone was told
nothing may be missing, doubled or out of order.

With `--from` everything begins with the version of that commit, riders included, and is upgraded to this one while they
ride, in the order of docs/operations.md: migrations, web processes, dispatcher, bridges. In between both versions work
beside each other. Then one web process goes back to the old version, which finds the new database, and forth again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from devservers.topology import Topology
from nebengjek.settings import BASE_DIR
from tests.stress.balancer import Balancer

PARSER = argparse.ArgumentParser(prog="python -m tests.stress.rolling", description="Deploying at rush hour.")
PARSER.add_argument("--people", type=int, default=100, help="drivers, and as many passengers (%(default)s)")
PARSER.add_argument("--rides", type=int, default=200, help="rides (%(default)s)")
PARSER.add_argument("--speed", type=float, default=10, help="times faster than in town (%(default)s)")
PARSER.add_argument("--url", help=argparse.SUPPRESS)  # of the process that takes the rides
PARSER.add_argument("--pause", type=float, default=4, help="seconds between two restarts (%(default)s)")
PARSER.add_argument("--from", dest="before", metavar="COMMIT", help="upgrade from the version of this commit")
LIMITS: Any = {
    "RIDES_MAX_SPEED_KMH": "0",
    "WS_COMMAND_RATE": "0",
    "WS_COSTLY_RATE": "0",
    "WS_CONNECT_RATE": "0",
    "API_THROTTLE": "0",
    "OTP_MAX_PER_HOUR": "0",
}


class Told(msgspec.Struct):
    """What the phones were told, over all their connections."""

    numbers: dict[str, int] = {}
    notifications: int = 0
    connections: int = 0
    resumed: int = 0
    wrong: list[str] = []

    def note(self, name: str, direction: str, frame: dict[str, Any]) -> None:
        """Look at a frame of a phone: notifications must come in order, each once, from the place that was agreed."""
        if direction != "<-":
            return
        if frame["type"] == "session_ready":
            self._note_session(name, frame["data"])
        elif "seq" in frame:
            self.notifications += 1
            if frame["seq"] != self.numbers[name] + 1:
                self.wrong.append(f"{name} got {frame['seq']} after {self.numbers[name]}")
            self.numbers[name] = frame["seq"]

    def _note_session(self, name: str, ready: dict[str, Any]) -> None:
        self.connections += 1
        if ready["recovered"]:
            self.resumed += 1
            if ready["seq"] != self.numbers[name]:
                self.wrong.append(f"{name} resumed at {ready['seq']} instead of {self.numbers[name]}")
        elif name in self.numbers:
            self.wrong.append(f"{name} got the state instead of what was missed")
        self.numbers[name] = ready["seq"]


async def deploy(topology: Topology, pause: float, restarts: Counter[str]) -> None:
    """Restart the web processes in turn, for ever; every third time one is killed."""
    for turn in range(1_000_000):
        await asyncio.sleep(pause)
        web = topology.webs[turn % len(topology.webs)]
        killed = turn % 3 == 2
        await asyncio.to_thread(web.kill if killed else web.stop)
        restarts["killed" if killed else "stopped"] += 1
        web.launch()
        await asyncio.to_thread(web.wait_until_it_answers)


async def upgrade(topology: Topology, pause: float, restarts: Counter[str]) -> None:
    """Bring everything to this version, and one web process back and forth."""
    old, new = topology.webs[0].code, BASE_DIR
    await asyncio.sleep(pause)
    topology.dispatcher.run_from(new)  # commands that it is asked for are those of the new version
    done = await asyncio.to_thread(topology.dispatcher.manage, "migrate", "--verbosity", "1")
    if done.returncode:
        raise RuntimeError(f"The migration failed: {done.stdout}{done.stderr}")
    migrations = re.findall(r"Applying (\S+)\.\.\.", done.stdout)
    show(f"migrated while they ride: {', '.join(migrations) or 'nothing'}")
    active = topology.active_bridge()
    standby = [bridge for bridge in topology.bridges if bridge is not active]
    web = topology.webs[0]
    steps = [*((process, new) for process in (*topology.webs, topology.dispatcher, *standby, active))]
    for process, code in (*steps, (web, old), (web, new)):
        await asyncio.sleep(pause)
        await asyncio.to_thread(process.stop)
        process.run_from(code)
        process.launch()
        if process in topology.webs:
            await asyncio.to_thread(process.wait_until_it_answers)
        restarts["upgraded" if code == new else "taken back"] += 1


async def ride(options: argparse.Namespace, env: dict[str, str], topology: Topology, restarts: Counter[str]) -> int:
    """Have the rides taken by a process that shares the database, while web processes are restarted or upgraded."""
    from common.background_tasks import end

    code = topology.webs[0].code
    async with Balancer([int(web.command[-1]) for web in topology.webs]) as balancer:
        url = f"http://127.0.0.1:{balancer.port}"
        arguments = [f"--{name}={getattr(options, name)}" for name in ("people", "rides", "speed")]
        command = [sys.executable, "-m", "tests.stress.rolling", "--url", url, *arguments]
        riders = await asyncio.create_subprocess_exec(*command, cwd=code, env={**os.environ, **env})
        deploying = asyncio.create_task((upgrade if options.before else deploy)(topology, options.pause, restarts))
        riding = asyncio.create_task(riders.wait())
        try:
            await asyncio.wait((riding, deploying), return_when=asyncio.FIRST_COMPLETED)
            if options.before and not deploying.done():
                show("WRONG: the rides were over before the upgrade was; ask for more --rides")
                return 1
            if deploying.done():
                deploying.result()
            return await riding
        finally:
            await end(deploying)
            if riders.returncode is None:
                riders.kill()


def export(commit: str, folder: Path) -> Path:
    """Put the version of a commit into a folder, and return it."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=BASE_DIR, capture_output=True, check=True)
    subprocess.run(["tar", "--extract"], cwd=folder, input=archive.stdout, check=True)
    return folder


def take_rides(options: argparse.Namespace) -> int:
    """Take the rides, say how they went; return 1 where anything is wrong."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    os.environ.setdefault("DEBUG", "true")
    import django

    django.setup()

    from simulation.run import Plan, simulate

    told = Told()
    people = {"drivers": options.people, "passengers": options.people}
    plan = Plan(url=options.url, rides=options.rides, speed=options.speed, seed=1, **people)
    outcome = asyncio.run(simulate(plan, told.note, lambda: None))
    show(f"{outcome.completed} of {options.rides} rides completed")
    show(f"{told.notifications} notifications over {told.connections} connections, {told.resumed} of them resumed")
    wrong = [*told.wrong, *outcome.errors, *outcome.wrong_fares]
    for text in wrong[:20]:
        show(f"WRONG: {text}")
    return 0 if outcome.completed == options.rides and not wrong else 1


def main(arguments: Sequence[str]) -> int:
    """Start everything and have rides taken; return 1 where anything is wrong."""
    options = PARSER.parse_args(arguments)
    if options.url:
        return take_rides(options)
    restarts = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="bench-rolling-") as folder:
        topology = Topology(Path(folder), bridges=2 if options.before else 1, **LIMITS)
        env = {**topology.env, "DOTENV": ".env.of-no-tests"}
        if options.before:
            before = export(options.before, Path(folder, "before"))
            for process in topology.processes:
                process.run_from(before)
            env["PYTHONPATH"] = topology.webs[0].env["PYTHONPATH"]
        with topology:
            code = asyncio.run(ride(options, env, topology, restarts))
            audit = topology.webs[0].manage("audit")
            said = [line for line in topology.output().splitlines() if "Traceback" in line or " ERROR " in line]
    if options.before and said:
        show(f"WRONG: {len(said)} errors were logged, such as {said[0]}")
        code = 1
    show(f"processes: {', '.join(f'{count} times {what}' for what, count in restarts.items())}")
    if audit.returncode:
        show(f"WRONG: {audit.stdout}{audit.stderr}")
    return code or audit.returncode


def show(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
