"""Several server processes on one port, each followed by another when it dies."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from common.metric_files import worker_ended

logger = logging.getLogger(__name__)

RESTART_DELAY = 1.0
"""Seconds before a worker that died is followed by another; doubled for each start in a row that failed."""

LONGEST_DELAY = 30.0
"""Seconds that it grows to."""

MAX_FAILED_STARTS = 5
"""Starts in a row that fail before the whole server gives up, if no worker serves."""

LOOK_INTERVAL = 0.2
"""Seconds between two looks at whether all workers live."""

LINK = 0
"""File descriptor of a worker's end of its link to the parent: its standard input."""


class CannotStartError(RuntimeError):
    """No worker could be started."""


class Worker:
    """One place among the workers: the process that fills it, or the time at which the next one is due.

    Parent and process share a socket pair. The process writes a byte to it once it serves; it reads the end of it when
    the parent is gone, however that happened.
    """

    def __init__(self, number: int, command: Sequence[str]) -> None:
        self.number = number
        self.failed_starts = 0
        self.serves = False
        self.process: subprocess.Popen[bytes] | None = None
        self.due = 0.0
        self._command = command
        self._told = False
        self._link: socket.socket | None = None

    def start(self, listener: socket.socket, env: Mapping[str, str]) -> None:
        """Start a process that serves `listener`, whose number it gets as its last argument."""
        self._link, theirs = socket.socketpair()
        number = listener.fileno()
        command = [sys.executable, *self._command, str(number)]
        with theirs:
            # A process group of its own: Ctrl-C in a terminal reaches the parent alone, which tells the workers.
            self.process = subprocess.Popen(  # noqa: S603
                command, stdin=theirs.fileno(), pass_fds=[number], process_group=0, env=env
            )
        logger.info("Worker %d has the pid %d.", self.number, self.process.pid)

    def look(self) -> int | None:
        """Note whether the process serves by now; return its pid if it has ended since the last look."""
        if self.process is None or self._link is None:
            return None
        ended = self.process.poll() is not None
        if not self.serves and select.select([self._link], [], [], 0)[0]:
            self.serves = bool(self._link.recv(1))
        if self.serves:
            self.failed_starts = 0
        return self._ended(self.process) if ended else None

    def terminate(self) -> None:
        """Tell the process to end."""
        self._told = True
        if self.process is not None:
            self.process.terminate()

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        assert self._link is not None
        self._link.close()
        self.failed_starts += not self.serves
        self.due = time.monotonic() + min(RESTART_DELAY * 2 ** max(0, self.failed_starts - 1), LONGEST_DELAY)
        if not self._told:
            how = "ended" if self.serves else "failed to start"
            logger.error("Worker %d (pid %d) %s, exit code %d.", self.number, process.pid, how, process.returncode)
        self.process, self.serves = None, False
        return process.pid


class Workers:
    """Keeps one process of each command running, all on one listening socket."""

    def __init__(self, listener: socket.socket, commands: Sequence[Sequence[str]]) -> None:
        self._listener = listener
        self._workers = [Worker(number, command) for number, command in enumerate(commands, 1)]
        self._stopping = False
        self._failed = False

    def run(self) -> None:
        """Run until SIGTERM or Ctrl-C, and until the workers have drained their sockets.

        Raises `CannotStartError` when no worker serves and one has failed to start `MAX_FAILED_STARTS` times in a row.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with tempfile.TemporaryDirectory(prefix="nebengjek-metrics-") as folder:
            self._run_in(Path(folder))
        if self._failed:
            raise CannotStartError(f"No worker could be started in {MAX_FAILED_STARTS} tries; the log says why.")

    def _run_in(self, folder: Path) -> None:
        """Run, with a folder in which the workers keep what they count."""
        env = {**os.environ, "METRICS_FOLDER": str(folder)}
        while not self._stopping or any(worker.process for worker in self._workers):
            for worker in self._workers:
                if (pid := worker.look()) is not None:
                    worker_ended(folder, pid)
                if not self._stopping and worker.process is None and time.monotonic() >= worker.due:
                    self._start(worker, env)
            if not self._stopping and self._cannot_start():
                self._failed = True
                self._stop()
            time.sleep(LOOK_INTERVAL)

    def _start(self, worker: Worker, env: Mapping[str, str]) -> None:
        worker.start(self._listener, env)
        if self._stopping:  # the signal came while the process was being started, and missed it
            worker.terminate()

    def _cannot_start(self) -> bool:
        if any(worker.serves for worker in self._workers):
            return False  # those that serve have sockets, which a worker that cannot start is no reason to close
        return any(worker.failed_starts >= MAX_FAILED_STARTS for worker in self._workers)

    def _stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self._stopping = True
        for worker in self._workers:
            worker.terminate()


def tell_parent_that_it_serves() -> None:
    """Let the parent of this worker know that it has started."""
    with suppress(OSError):  # the parent is gone; `end_with_parent` sees it too
        os.write(LINK, b"1")


def end_with_parent() -> None:
    """Stop this worker in its own way when the parent is gone, which ends the link to it."""

    def watch() -> None:
        with suppress(OSError):  # the parent died with our byte unread
            while os.read(LINK, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, and that worker processes can inherit."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    listener.set_inheritable(True)
    return listener
