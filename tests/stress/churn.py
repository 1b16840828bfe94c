"""People who come and go: what ten thousand connects and disconnects leave behind in the server.

    python -m tests.stress.churn [--times 10000] [--users 2000] [--at-once 50]

Starts a server of its own on a database in a temporary folder. Each visit is one connection: `session_ready`, a
position, a `sync`; then the client leaves: one in three hangs up, one vanishes without a word, one is replaced by a
second connection of the same user. Printed is what the server has in hand, how much memory it takes and how many rows
the database has: when nobody has come yet, after a warming up as long as a tenth of the rest, and after the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PARSER = argparse.ArgumentParser(description="People who come and go.")
PARSER.add_argument("--times", type=int, default=10_000, help="connections (%(default)s)")
PARSER.add_argument("--rounds", type=int, default=2, help="so many times (%(default)s)")
PARSER.add_argument("--users", type=int, default=2000, help="of so many users, half of them drivers (%(default)s)")
PARSER.add_argument("--at-once", type=int, default=50, help="visits at the same time (%(default)s)")
SETTLE = 7.0
"""Seconds after which the server has cut off the last of those who did not say goodbye."""


async def visit(url: str, token: str, manner: int) -> int:
    """Connect, say something, leave in one of three manners; return how many connections that took."""
    from websockets.asyncio.client import connect

    headers = {"Authorization": f"Bearer {token}"}
    socket = await connect(url, additional_headers=headers, compression=None)
    await socket.recv()
    place = {"latitude": -6.1754, "longitude": 106.8272}
    await socket.send(json.dumps({"type": "location_update", "data": place}))
    await socket.send(json.dumps({"type": "sync", "data": {}, "id": "1"}))
    while json.loads(await socket.recv())["type"] != "ack":
        pass
    if manner % 3 == 1:
        socket.transport.abort()
    elif manner % 3 == 2:
        newer = await connect(url, additional_headers=headers, compression=None)
        await socket.wait_closed()
        assert socket.close_code == 4409, socket.close_code
        await newer.close()
        return 2
    await socket.close()
    return 1


async def come_and_go(url: str, tokens: Iterator[str], times: int, at_once: int) -> None:
    """Have this many connections made and ended, so many at the same time."""
    left = times
    manners = itertools.count()

    async def visitor() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            connections = await visit(url, next(tokens), next(manners))
            left -= connections - 1

    await asyncio.gather(*(visitor() for _ in range(at_once)))


def main() -> None:
    """Start a server, let people come and go, and compare."""
    options = PARSER.parse_args()
    folder = tempfile.TemporaryDirectory(prefix="bench-churn-")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    os.environ.setdefault("DEBUG", "true")
    os.environ["DATABASE_URL"] = f"sqlite:///{folder.name}/e2e.sqlite3"

    import django

    django.setup()

    from django.core.management import call_command
    from django.db import connection

    from bench.database import count_rows, make_people
    from bench.process import cpu_seconds, memory_mb, open_files
    from devservers.web import ServerProcess
    from tests.stress.census import census_of

    call_command("migrate", verbosity=0)
    database = Path(folder.name) / "e2e.sqlite3"
    people = itertools.cycle(make_people(options.users))
    connection.close()
    server = ServerProcess(
        Path(folder.name), "-m", "tests.stress.census", "serve", "--port", "0", LOG_LEVEL="WARNING"
    ).start()
    assert server.process
    pid = server.process.pid
    url = server.url.replace("http", "ws", 1) + "/ws/"

    def look(when: str) -> None:
        now = census_of(server) | {"files": open_files(pid), "rows": sum(count_rows(database).values())}
        show(f"{when}: {memory_mb(pid):.0f} MB; {', '.join(f'{count} {name}' for name, count in now.items())}")

    try:
        time.sleep(1)
        look("nobody has come yet")
        asyncio.run(come_and_go(url, people, options.times // 10, options.at_once))
        time.sleep(SETTLE)
        look(f"after {options.times // 10} connections")
        for _ in range(options.rounds):
            cpu, begun = cpu_seconds(pid), time.monotonic()
            asyncio.run(come_and_go(url, people, options.times, options.at_once))
            took, used = time.monotonic() - begun, cpu_seconds(pid) - cpu
            time.sleep(SETTLE)
            per = f"{options.times / took:.0f} a second, {used / options.times * 1000:.1f} ms of processor time each"
            look(f"after {options.times} more ({per})")
    finally:
        server.stop()
        show("".join(server.output[-3:]))


def show(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
