"""A small disk that one process sees, and that can be full: a file system in memory, in a name space of its own.

It needs no rights where the system lets users have name spaces (`unshare`, `nsenter` of util-linux).
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Self

from devservers.process import Process, ProcessError
from devservers.servers import NatsServer, PostgresServer

SIZE = 128 * 2**20
SIZE_FOR_POSTGRES = 512 * 2**20
PIECE = 2**20
MOUNT = 'mount -t tmpfs -o size=%d none "$0" && echo mounted && exec sleep infinity'
APART = ("unshare", "--user", "--map-root-user", "--mount")
AS_NOBODY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""For PostgreSQL, which refuses to run as root, and so as who it seems to be within."""

ENTER = ("nsenter", "--preserve-credentials", "--user", "--mount", "--target")


class SmallDisk(Process):
    """Keeps a disk mounted on a folder, for those that enter its name space."""

    name = "small disk"

    def __init__(self, folder: Path, size: int = SIZE) -> None:
        super().__init__()
        self.folder = folder
        self._size = size

    def start(self) -> Self:
        """Mount it."""
        process = self._launch([*APART, "sh", "-c", MOUNT % self._size, str(self.folder)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout as said:
            mounted = said.readline() == b"mounted\n"
        if not mounted:
            self.kill()
            raise ProcessError(self.report("cannot be mounted"))
        return self

    @property
    def inside(self) -> list[str]:
        """The beginning of the command of a process that sees it."""
        return [*ENTER, str(self.pid)]

    def fill(self) -> None:
        """Leave no byte."""
        with self._ballast.open("wb", buffering=0) as file:
            for size in (PIECE, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink()

    @property
    def root(self) -> Path:
        """Where others reach it."""
        return Path(f"/proc/{self.pid}/root{self.folder}")

    @property
    def _ballast(self) -> Path:
        return self.root / "ballast"


@cache
def can_have_small_disks() -> bool:
    """Return whether this system lets us."""
    try:
        return not subprocess.run([*APART, *AS_NOBODY, "true"], capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


class NatsOnSmallDisk(NatsServer):
    """NATS that keeps its stream on a small disk, from its first start until `disk` is stopped."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        super().__init__(folder, port)
        self.disk = SmallDisk(self.data)

    def prepare(self) -> None:
        """Mount the disk, once."""
        super().prepare()
        if not self.disk.running:
            self.disk.start()

    def command(self) -> list[str]:
        """Return the command line."""
        return [*self.disk.inside, *super().command()]


class PostgresOnSmallDisk(PostgresServer):
    """PostgreSQL whose data is on a small disk, from its first start until `disk` is stopped."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        super().__init__(folder, port, fsync=False)
        self.disk = SmallDisk(self.home, SIZE_FOR_POSTGRES)

    @property
    def home(self) -> Path:
        """Where the disk is mounted."""
        return self.folder / "disk"

    def account(self) -> dict[str, Any]:
        """Return nothing: it is an account of the disk's name space."""
        return {}

    def prepare(self) -> None:
        """Mount the disk, and make the database cluster there, once."""
        if self.disk.running:
            return
        self.data.mkdir(parents=True, exist_ok=True)  # covered by the disk; without it there is no place to start in
        self.disk.start()
        made = PostgresServer(self.folder / "made", template=self.template)
        made.folder.mkdir()
        made.prepare()
        shutil.copytree(made.data, self.disk.root / "data")
        made.wipe()

    def command(self) -> list[str]:
        """Return the command line; with little log of transactions, which would take the whole disk otherwise."""
        return [*self.disk.inside, *AS_NOBODY, *super().command(), "-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB"]
