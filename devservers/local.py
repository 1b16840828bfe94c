"""`python -m devservers.local`: the distributed system on this machine, without containers.

PostgreSQL, Valkey and NATS, two web processes, two bridges (one works, one stands by) and the dispatcher. Whatever ends
by itself is started again, so that one may end anything and watch what happens. The data stays in `var/distributed/`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NoReturn

import httpx
from filelock import FileLock, Timeout

from devservers.child import Child, Kept, Printer, Say, restart_ended
from devservers.process import Process, ProcessError, Server
from devservers.servers import NatsServer, PostgresServer, ValkeyServer

BASE = Path(__file__).resolve().parent.parent
FOLDER = BASE / "var" / "distributed"
BRIDGES = ("bridge-1", "bridge-2")
NAME_WIDTH = 10
LOOK_INTERVAL = 1.0
"""Seconds between two looks at whether everything runs."""

INTRODUCTION = """
Everything runs: {url} (staff: {url}/admin/).

{processes}

Take a ride, or many, in another terminal:

  env $(cat {env}) {python} manage.py simulate --rides 1 --drivers 1 --passengers 1 --show-frames
  env $(cat {env}) {python} manage.py simulate --rides 50

End one without any warning meanwhile, and watch: no ride and no notification is lost, and it is started again.

  kill -9 {bridges}  the active bridge (the other one prints that it stands by): the other takes over
  kill -9 {nats}  NATS: what happens meanwhile waits in the database
  kill -9 {valkey}  Valkey: sockets stay open
  kill -9 {postgres}  PostgreSQL: everybody waits for it
  kill -9 (a worker's, above)  a web process: its clients come back and get what they missed

Stop everything with Ctrl-C. The data is kept in {folder}; delete it to start afresh.
"""


def main() -> None:
    """Run until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m devservers.local", description="Run the distributed system here.")
    parser.add_argument("--port", type=int, default=8000, help="port of the web processes (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="web processes (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the data is kept (default: %(default)s)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with only_one(arguments.folder), contextlib.suppress(KeyboardInterrupt):
            run(arguments.folder.resolve(), arguments.port, arguments.workers)
    except (ProcessError, subprocess.CalledProcessError) as exc:
        sys.exit(str(exc))


def run(folder: Path, port: int, workers: int) -> None:
    """Start everything and keep it running until interrupted; what was started last is stopped first."""
    say = Printer(NAME_WIDTH, colours=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        servers = make_servers(folder)
        for server in servers:
            stack.enter_context(Kept(server, say, about=f", {server.url}, writes to {_shown(server.log)}"))
        env = settings(servers, url)
        (folder / "env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
        migrate(env)
        children = make_children(env, port, workers, say)
        for child in children:
            stack.enter_context(Kept(child, say))
        keep_running([*servers, *children], say, url, partial(introduction, url, folder, servers, children))


def keep_running(processes: Sequence[Process], say: Say, url: str, introduce: Callable[[], str]) -> NoReturn:
    """Start again what has ended by itself, for ever; introduce it all once it is ready."""
    introduced = False
    while True:
        time.sleep(LOOK_INTERVAL)
        restart_ended(processes, say)
        if not introduced and (introduced := is_ready(url)):
            sys.stdout.write(introduce())
            sys.stdout.flush()


def make_servers(folder: Path) -> list[Server]:
    """Return the servers that the system stands on."""
    kinds: list[type[Server]] = [PostgresServer, ValkeyServer, NatsServer]
    return [kind(folder / kind.name) for kind in kinds]


def settings(servers: list[Server], url: str) -> dict[str, str]:
    """Return the environment variables that make it one system."""
    postgres, valkey, nats = (server.url for server in servers)
    return {"DEBUG": "true", "DATABASE_URL": postgres, "REDIS_URL": valkey, "NATS_URL": nats, "PUBLIC_URL": url}


def make_children(env: Mapping[str, str], port: int, workers: int, say: Say) -> list[Child]:
    """Return the processes of the system, in the order in which they start."""
    commands = {name: ["run_nats_bridge"] for name in BRIDGES}
    commands["dispatcher"] = ["run_dispatcher"]
    commands["web"] = ["serve", "--workers", str(workers), "--port", str(port)]
    whole = {**os.environ, "PYTHONUNBUFFERED": "1", **env}
    return [Child(name, manage(*command), BASE, whole, say) for name, command in commands.items()]


def manage(*arguments: str) -> list[str]:
    """Return the command line of a management command."""
    return [sys.executable, "manage.py", *arguments]


def migrate(env: Mapping[str, str]) -> None:
    """Bring the database up to date."""
    command = manage("migrate", "--verbosity", "0")
    subprocess.run(command, cwd=BASE, env={**os.environ, **env}, check=True)


def is_ready(url: str) -> bool:
    """Tell whether sockets can be served."""
    try:
        return httpx.get(f"{url}/health/ready", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def introduction(url: str, folder: Path, servers: list[Server], children: list[Child]) -> str:
    """Return what to look at and what to try."""
    pids = {child.name: child.pid for child in children} | {server.name: server.pid for server in servers}
    processes = "\n".join(f"  {name:{NAME_WIDTH}} pid {pid}" for name, pid in pids.items())
    bridges = " or ".join(str(pids[name]) for name in BRIDGES)
    places = {"folder": _shown(folder), "env": _shown(folder / "env"), "python": _shown(Path(sys.executable))}
    return INTRODUCTION.format(url=url, processes=processes, bridges=bridges, **places, **pids)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder; raise `ProcessError` where somebody else has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ProcessError(f"It runs already, with its data in {folder}.") from None
    try:
        yield
    finally:
        lock.release()


def _shown(path: Path) -> str:
    """Return a path as one types it in the project's folder."""
    return str(path.relative_to(BASE) if path.is_relative_to(BASE) else path)


if __name__ == "__main__":
    main()
