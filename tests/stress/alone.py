"""One process on SQLite, while another one holds the database, or the disk is full; whole rides go on meanwhile.

    python -m tests.stress.alone [--seconds 60] [--rides 6]

Prints what an operator sees of each fault, and checks the books. Returns 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from devservers.web import ServerProcess
from tests.stress.riding import HURRIED, Trips, riding
from tests.stress.sights import Sight, Undo, sight_of

FULL_AT = 4096
"""Bytes beyond which no file of the server can be written."""


def lock(server: ServerProcess) -> Undo:
    """Hold the lock of writers, as a careless script does."""
    session = sqlite3.connect(server.database, isolation_level=None, check_same_thread=False, timeout=60)
    session.execute("BEGIN IMMEDIATE")

    def release() -> None:
        session.rollback()
        session.close()

    return release


def fill_disk(server: ServerProcess) -> Undo:
    """Let every write to a file fail, as on a disk without room."""
    assert server.process is not None
    pid = server.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL_AT, hard))
    return lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


FAULTS: dict[str, Callable[[ServerProcess], Undo]] = {"locked": lock, "disk-full": fill_disk}


async def suffer(server: ServerProcess, fault: str, seconds: float, rides: int) -> tuple[Sight, Trips]:
    """Let a fault last so long amid rides; return what is seen of it, and how the rides went, with the books."""
    async with riding([server], rides, seed=len(fault)) as trips:
        sight = await asyncio.to_thread(
            sight_of, server, lambda: "".join(server.output), lambda: FAULTS[fault](server), "database", seconds
        )
    audit = await asyncio.to_thread(server.manage, "audit")
    if audit.returncode:
        trips.broken.append(audit.stdout + audit.stderr)
    return sight, trips


def main(arguments: Sequence[str]) -> int:
    """Suffer each fault, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.alone", description="One process, half dead.")
    parser.add_argument("--seconds", type=float, default=60, help="of each fault (%(default)s)")
    parser.add_argument("--rides", type=int, default=6, help="taken meanwhile (%(default)s)")
    options = parser.parse_args(arguments)
    good = True
    with tempfile.TemporaryDirectory(prefix="alone-") as folder:
        server = ServerProcess(Path(folder), **HURRIED)
        server.migrate()
        server.start()
        try:
            sys.stdout.write(f"{'fault':12}{'said':>8}{'well':>8}{'slowest':>8}{'lines':>8}{'rides':>8}\n")
            for fault in FAULTS:
                sight, trips = asyncio.run(suffer(server, fault, options.seconds, options.rides))
                moments = (sight.said_after, sight.well_after, sight.answered_within)
                cells = "".join(f"{'-' if moment is None else f'{moment:.1f}':>8}" for moment in moments)
                sys.stdout.write(f"{fault:12}{cells}{sight.lines:>8}{trips.over:>8}\n")
                sys.stdout.write("".join(f"    {text}\n" for text in trips.broken))
                good &= not trips.broken and None not in (sight.said_after, sight.well_after)
        finally:
            server.stop()
    return 0 if good else 1


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    os.environ.setdefault("DEBUG", "true")
    sys.exit(main(sys.argv[1:]))
