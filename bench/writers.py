"""Writers on SQLite: commands over sockets, HTTP requests and another process, all at once on one database.

    python -m bench.writers [--seconds 60] [--rate 100]

Starts a server of its own on a database in a temporary folder. Of every ten commands seven come over sockets (a beacon,
on or off: four rows), two over HTTP (a new name) and one from a management command in another process. All must
succeed, and nowhere may a database be locked. Printed is how long the answers took.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from django.db import connection

from bench.database import count_rows, make_people, use_database
from bench.report import centile, say
from devservers.client import Client
from devservers.patience import TIMEOUT
from devservers.web import ServerProcess
from users.models import User

SOCKETS, CLIENTS = 14, 4

OTHER_PROCESS = """
import time
from rides.services.beacons import beacon_update
from users.models import User

driver, begun = User.objects.get(msisdn="{msisdn}"), time.monotonic()
for number in range({commands}):
    time.sleep(max(0.0, begun + number * {pause} - time.monotonic()))
    beacon_update(user_id=driver.pk, is_active=number % 2 == 0)
"""
"""What the management command in the other process does."""


async def over_socket(url: str, token: str, commands: int, pause: float = 0) -> list[float]:
    """Switch a driver's beacon so many times and return the seconds that each answer took."""
    seconds = []
    await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
    client = await Client.connect(url, token, compression=None)
    begun = time.monotonic()
    for number in range(commands):
        await asyncio.sleep(max(0.0, begun + number * pause - time.monotonic()))
        asked_at = time.perf_counter()
        answer = await client.do("beacon_update", is_active=number % 2 == 0)
        assert answer["type"] == "ack", answer
        seconds.append(time.perf_counter() - asked_at)
    await client.hang_up()
    return seconds


async def over_http(url: str, token: str, commands: int, pause: float = 0) -> list[float]:
    """Change a user's name so many times and return the seconds that each answer took."""
    seconds = []
    await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT) as client:
        begun = time.monotonic()
        for number in range(commands):
            await asyncio.sleep(max(0.0, begun + number * pause - time.monotonic()))
            asked_at = time.perf_counter()
            answer = await client.patch("/api/me/", json={"full_name": f"Name {number}"})
            assert answer.status_code == 200, answer.text
            seconds.append(time.perf_counter() - asked_at)
    return seconds


async def in_another_process(server: ServerProcess, msisdn: str, commands: int, pause: float = 0) -> None:
    """Switch a driver's beacon so many times, with a management command."""
    script = OTHER_PROCESS.format(msisdn=msisdn, commands=commands, pause=pause)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "manage.py", "shell", "-v", "0", "-c", script, env=server.env, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


async def write(server: ServerProcess, tokens: list[str], msisdn: str, seconds: float, rate: float) -> None:
    """Write at this rate for so long, and print how it went."""
    each, pause = int(seconds * rate * 0.7 / SOCKETS), SOCKETS / (rate * 0.7)
    sockets = [over_socket(server.url, token, each, pause) for token in tokens[:SOCKETS]]
    requests = int(seconds * rate * 0.2 / CLIENTS)
    clients = [over_http(server.url, token, requests, CLIENTS / (rate * 0.2)) for token in tokens[SOCKETS:]]
    elsewhere = in_another_process(server, msisdn, int(seconds * rate * 0.1), 10 / rate)
    begun = time.monotonic()
    answers, _ = await asyncio.gather(asyncio.gather(*sockets, *clients), elsewhere)
    took = time.monotonic() - begun
    for name, part in (("sockets", answers[:SOCKETS]), ("HTTP", answers[SOCKETS:])):
        times = [1000 * second for second in itertools.chain(*part)]
        spread = f"p50 {centile(times, 50):.1f} ms, p99 {centile(times, 99):.1f} ms, at most {max(times):.0f}"
        say(f"{len(times)} over {name}: {spread}")
    say(f"{int(seconds * rate * 0.1)} in another process; {seconds * rate / took:.0f} a second in all")


def main(arguments: Sequence[str]) -> None:
    """Start a server, write, and look for locked databases."""
    parser = argparse.ArgumentParser(prog="python -m bench.writers", description="Writers on SQLite.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (%(default)s)")
    parser.add_argument("--rate", type=float, default=100, help="commands a second, in all (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-writers-") as folder:
        server = ServerProcess(Path(folder), LOG_LEVEL="WARNING")
        use_database(server.database)
        drivers = make_people(2 * (SOCKETS + CLIENTS + 1))[::2]
        msisdn = User.objects.filter(role="driver").order_by("msisdn").reverse()[0].msisdn
        connection.close()
        server.start()
        try:
            asyncio.run(write(server, drivers[:-1], msisdn, options.seconds, options.rate))
        finally:
            server.stop()
        rows = count_rows(server.database)
    say(f"{rows['events_outboxevent']} events, {sum(rows.values())} rows")
    locked = sum("locked" in line for line in server.output)
    say(f"{locked} times a database was locked; {sum('Traceback' in line for line in server.output)} errors")


if __name__ == "__main__":
    main(sys.argv[1:])
