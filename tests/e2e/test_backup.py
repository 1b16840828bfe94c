"""Backup while the system runs, and restore: as docs/operations.md says it, on both kinds of database."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from devservers.patience import FACTOR, until
from devservers.servers import NatsServer, PostgresServer, ValkeyServer
from devservers.topology import Topology
from devservers.web import ServerProcess
from nebengjek.settings import BASE_DIR
from tests.e2e.client import Client, ride_to_pickup
from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e
DRIVER, PASSENGER = "+6281200000001", "+6281200000003"
OPERATIONS = (BASE_DIR / "docs" / "operations.md").read_text()


async def ready(server: ServerProcess, token: str, resume: str = "") -> tuple[Client, dict[str, Any]]:
    """Connect, and return the client with its `session_ready`."""
    client = await Client.connect(server.url, token, f"?resume={resume}" if resume else "")
    return client, await client.data_of("session_ready")


def documented(pattern: str) -> str:
    """Return a command of the documentation."""
    found = re.search(pattern, OPERATIONS, re.MULTILINE)
    assert found, pattern
    return found[0].strip()


async def test_sqlite_is_copied_while_it_runs(start_server: StartServer, tmp_path: Path) -> None:
    """The copy is whole; a server on it gives the state of then, never numbers that mean something else."""
    server = start_server()
    driver_token, passenger_token = server.log_in(DRIVER, driver=True), server.log_in(PASSENGER)
    driver, passenger = [(await ready(server, token))[0] for token in (driver_token, passenger_token)]
    ride_id = await ride_to_pickup(driver, passenger)
    code = documented(r"import sqlite3; sqlite3\.connect\(.*\.backup\(.*\)\)(?=')")
    code = code.replace("var/nebengjek.sqlite3", str(server.database)).replace('"copy.', f'"{tmp_path}/copy.')
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60 * FACTOR)
    await passenger.do("ride_cancel", ride_id=ride_id)
    await passenger.data_of("ride_cancelled")
    again, before = await ready(server, passenger_token)
    assert before["state"]["ride"] is None
    await again.hang_up()
    server.stop()
    for suffix in ("-wal", "-shm"):
        Path(f"{server.database}{suffix}").unlink(missing_ok=True)
    (tmp_path / "copy.sqlite3").replace(server.database)
    server = start_server()
    back, after = await ready(server, passenger_token, f"{before['epoch']}:{before['seq']}")
    assert (after["recovered"], after["epoch"] == before["epoch"]) == (False, False)
    assert after["state"]["ride"]["ride_id"] == ride_id
    assert (await back.do("ride_cancel", ride_id=ride_id))["type"] == "ack"
    await back.data_of("ride_cancelled")
    await back.hang_up()
    assert server.manage("audit").returncode == 0


@pytest.mark.skipif(
    not all(kind.find() for kind in (PostgresServer, ValkeyServer, NatsServer)), reason="There are no servers."
)
async def test_postgresql_is_dumped_while_it_runs(tmp_path: Path, template_cluster: Path) -> None:
    """All processes stop, the dump is restored, Redis is emptied: everybody gets the state of then, and goes on."""
    with Topology(tmp_path, webs=1, bridges=1).with_data_of(template_cluster) as system:
        [web] = system.webs
        driver_token, passenger_token = web.log_in(DRIVER, driver=True), web.log_in(PASSENGER)
        driver, passenger = [(await ready(web, token))[0] for token in (driver_token, passenger_token)]
        ride_id = await ride_to_pickup(driver, passenger)
        dump = documented(r"^    pg_dump .*$")
        run(system, dump, tmp_path)
        await passenger.do("ride_cancel", ride_id=ride_id)
        await driver.data_of("ride_cancelled")
        again, before = await ready(web, passenger_token)
        await again.hang_up()
        for process in system.processes:
            process.stop()
        run(system, documented(r"^    pg_restore .*$"), tmp_path)
        assert "FLUSHDB" in OPERATIONS
        redis.Redis.from_url(system.valkey.url).flushdb()
        for process in system.processes:
            process.launch()
        web.wait_until_it_answers()
        people = [
            await ready(web, token, f"{before['epoch']}:{before['seq']}") for token in (driver_token, passenger_token)
        ]
        for _, after in people:
            assert (after["recovered"], after["epoch"] == before["epoch"]) == (False, False)
            assert after["state"]["ride"]["ride_id"] == ride_id
        (driver, _), (passenger, _) = people
        assert (await passenger.do("ride_cancel", ride_id=ride_id))["type"] == "ack"
        for person in (driver, passenger):
            await until(partial(knows_the_end, person, ride_id))
            await person.hang_up()
        done = web.manage("audit")
        assert done.returncode == 0, done.stdout


def knows_the_end(person: Client, ride_id: str) -> bool:
    """Return whether a frame said it: the notification, or the state that a bridge sends after it has started."""
    told = [frame["data"]["ride_id"] for frame in person.frames if frame["type"] == "ride_cancelled"]
    states = [frame["data"]["state"] for frame in person.frames if frame["type"] == "session_ready"]
    last = [state["last_ride"] for state in states if state["last_ride"] is not None]
    return ride_id in told or any((ride["ride_id"], ride["status"]) == (ride_id, "CANCELLED") for ride in last)


def run(system: Topology, command: str, folder: Path) -> None:
    """Run a documented command of PostgreSQL, with the programs of the server's version."""
    command = command.replace('"$DATABASE_URL"', system.postgres.url)
    program, *words = command.replace("nebengjek.dump", f"{folder}/nebengjek.dump").split()
    done = subprocess.run(
        [str(system.postgres.program.with_name(program)), *words],
        capture_output=True, text=True, check=False, timeout=60 * FACTOR,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
