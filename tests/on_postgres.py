"""`python -m tests.on_postgres [arguments of pytest]`: run tests on a PostgreSQL server of their own.

Its database `migrated` has all tables: the test databases are copies of it, since a migration costs 4 s of processor.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from devservers.servers import PostgresServer
from devservers.web import ServerProcess
from tests.settings import MIGRATED


def main() -> int:
    """Start a server, run the tests on it, stop it, and return how they ended."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer(Path(folder) / "postgres", fsync=False) as postgres:
        command = [sys.executable, "-m", "pytest", *sys.argv[1:]]
        env = {**os.environ, "TESTS_DATABASE_URL": postgres.url}
        try:
            _make_template(Path(folder), postgres)
            return subprocess.run(command, env=env, check=False).returncode
        finally:
            postgres.stop()
            postgres.wipe()


def _make_template(folder: Path, postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {MIGRATED}")
    url = f"{postgres.url.rpartition('/')[0]}/{MIGRATED}"
    ServerProcess(folder, DATABASE_URL=url).migrate()


if __name__ == "__main__":
    sys.exit(main())
