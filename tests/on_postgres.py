"""`python -m tests.on_postgres [arguments of pytest]`: run tests on a PostgreSQL server of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from devservers.servers import PostgresServer


def main() -> int:
    """Start a server, run the tests on it, stop it, and return how they ended."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer(Path(folder) / "postgres", fsync=False) as postgres:
        command = [sys.executable, "-m", "pytest", *sys.argv[1:]]
        env = {**os.environ, "TESTS_DATABASE_URL": postgres.url}
        try:
            return subprocess.run(command, env=env, check=False).returncode
        finally:
            postgres.stop()
            postgres.wipe()


if __name__ == "__main__":
    sys.exit(main())
