"""Servers whose place another one takes: with everything, as a synchronous standby has it, or without the last second.

Each is the undo of an outage, or is undone by failing back; the proxies lead to whoever is in office.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import redis

from devservers.patience import until_true
from devservers.process import ProcessError
from devservers.servers import PostgresServer, ValkeyServer

if TYPE_CHECKING:
    from tests.stress.half_dead import HalfDead

LATE = 1.0
"""Seconds of writes that the replica of Valkey lacks when it takes over."""


class PostgresStandby(PostgresServer):
    """A standby that has every commit before its client is answered; `promote` makes a primary of it."""

    ready = "ready to accept"  # read-only connections, and all of them after it was promoted

    def __init__(self, folder: Path, primary: PostgresServer) -> None:
        super().__init__(folder, fsync=False)
        self._primary = primary

    def promote(self) -> None:
        """Take changes from now on."""
        with psycopg.connect(self.url, autocommit=True) as session:
            session.execute("SELECT pg_promote()")

    def _run_initdb(self, folder: Path) -> None:
        """Copy the primary in place of making an empty cluster."""
        program = self._usable_program().with_name("pg_basebackup")
        source = ["--dbname", self._primary.url, "--pgdata", str(folder)]
        done = subprocess.run(
            [str(program), *source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"],
            cwd=folder, capture_output=True, text=True, check=False, **self.account(),
        )  # fmt: skip
        if done.returncode:
            raise ProcessError(f"pg_basebackup fails:\n{done.stdout}{done.stderr}")


def fail_over_postgres(topology: HalfDead) -> Callable[[], object]:
    """Kill the primary; in the end its standby takes over, which has all that was answered."""
    primary, folder = topology.postgres, topology.folder / f"postgres-{topology.postgres.port}"
    standby = PostgresStandby(folder, primary)
    topology.resources.callback(standby.wipe)
    topology.resources.enter_context(standby)
    with psycopg.connect(primary.url, autocommit=True) as session:
        session.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        session.execute("SELECT pg_reload_conf()")
        state = "SELECT sync_state = 'sync' FROM pg_stat_replication"
        until_true(lambda: session.execute(state).fetchone() == (True,), "the standby has everything")
    primary.kill()

    def take_over() -> None:
        standby.promote()
        topology.postgres = standby
        topology.proxies["postgres"].redirect(standby.port)

    return take_over


def fail_over_valkey(topology: HalfDead) -> Callable[[], object]:
    """Let a replica without the last second of writes take over; in the end the first one comes back with its data."""
    first = topology.valkey
    other = ValkeyServer(topology.folder / "valkey-replica")
    topology.resources.enter_context(other)
    follow(other, first)
    promote(other)
    time.sleep(LATE)
    topology.proxies["valkey"].redirect(other.port)

    def fail_back() -> None:
        follow(first, other)
        promote(first)
        topology.proxies["valkey"].redirect(first.port)
        other.stop()

    return fail_back


def follow(replica: ValkeyServer, master: ValkeyServer) -> None:
    """Make one server the replica of another, and wait until it has all of its data."""
    with redis.Redis.from_url(master.url) as client:
        client.config_set("repl-diskless-sync-delay", 0)  # it would wait 5 s for further replicas
    with redis.Redis.from_url(replica.url) as client:
        client.replicaof("127.0.0.1", str(master.port))
        until_true(lambda: client.info("replication").get("master_link_status") == "up", "the replica has all")


def promote(server: ValkeyServer) -> None:
    """Make a master of a replica."""
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("NO", "ONE")
