"""`python -m bench.growth [--rides N] [--people N]`: what each table grows by in 1,000 rides.

Simulated rides, ten times faster than in town, run on a server of their own, on SQLite; rows and bytes (with indexes)
are counted before and after.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from devservers.web import ServerProcess

SIZES = "SELECT name, tbl_name FROM sqlite_master WHERE type IN ('table', 'index')"


def main() -> None:
    """Print a line for each table that grew."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--rides", type=int, default=40)
    parser.add_argument("--people", type=int, default=20, help="drivers, and as many passengers (%(default)s)")
    options = parser.parse_args()
    rides: int = options.rides
    people = str(options.people)
    pace = ("--drivers", people, "--passengers", people, "--speed", "10")
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder), RIDES_MAX_SPEED_KMH="0")
        server.migrate()
        server.start()
        try:
            before = sizes(server.database)
            done = server.manage("simulate", "--rides", str(rides), *pace, "--url", server.url)
            if done.returncode:
                sys.exit(done.stdout + done.stderr)
            after = sizes(server.database)
        finally:
            server.stop()
    for table in sorted(after):
        rows, size = (1000 * (now - then) / rides for now, then in zip(after[table], before[table], strict=True))
        if rows > 0:
            sys.stdout.write(f"{table:34} {rows:9,.0f} rows {size / 1024:9,.0f} KB\n")


def sizes(database: Path) -> dict[str, tuple[int, int]]:
    """Return the rows of each table, and its bytes with its indexes."""
    with closing(sqlite3.connect(database)) as connection:
        owners = dict(connection.execute(SIZES))
        size = dict.fromkeys(owners.values(), 0)
        for name, pages in connection.execute("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name"):
            if name in owners:
                size[owners[name]] += pages
        count = "SELECT COUNT(*) FROM {}"  # names of our own tables
        return {table: (connection.execute(count.format(table)).fetchone()[0], size[table]) for table in size}


if __name__ == "__main__":
    main()
