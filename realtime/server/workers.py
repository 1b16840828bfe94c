"""Several server processes on one port."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from common.metric_files import worker_ended

logger = logging.getLogger(__name__)

RESTART_DELAY = 1.0
"""Seconds before a worker that died is followed by another."""

LOOK_INTERVAL = 0.2
"""Seconds between two looks at whether all workers live."""


class Workers:
    """Starts `count` processes of a command that serve one listening socket, and keeps as many running.

    The command gets the number of the socket as its last argument, and a standard input that ends when this process
    does, however that happens (see `end_with_parent`).
    """

    def __init__(self, listener: socket.socket, commands: Sequence[Sequence[str]]) -> None:
        self._listener = listener
        self._commands = commands
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._stopping = False

    def run(self) -> None:
        """Run until SIGTERM or Ctrl-C, then let the workers end in their own way."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with tempfile.TemporaryDirectory(prefix="nebengjek-metrics-") as folder:
            self._run_in(Path(folder))

    def _run_in(self, folder: Path) -> None:
        """Run, with a folder in which the workers keep what they count."""
        env = {**os.environ, "METRICS_FOLDER": str(folder)}
        for place in range(len(self._commands)):
            self._start(place, env)
        while self._running:
            time.sleep(LOOK_INTERVAL)
            for place, process in list(self._running.items()):
                if process.poll() is not None:
                    del self._running[place]
                    worker_ended(folder, process.pid)
                    self._follow(place, process, env)

    def _start(self, place: int, env: Mapping[str, str]) -> None:
        number = self._listener.fileno()
        command = [sys.executable, *self._commands[place], str(number)]
        # A group of its own: Ctrl-C in a terminal reaches us alone, and we tell the workers.
        self._running[place] = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, pass_fds=[number], process_group=0, env=env
        )
        logger.info("Worker %d has the pid %d.", place + 1, self._running[place].pid)

    def _follow(self, place: int, process: subprocess.Popen[bytes], env: Mapping[str, str]) -> None:
        if not self._stopping:
            logger.error("Worker %d (pid %d) ended with %d.", place + 1, process.pid, process.returncode)
            time.sleep(RESTART_DELAY)
        if not self._stopping:
            self._start(place, env)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for process in self._running.values():
            process.terminate()


def end_with_parent() -> None:
    """Let this worker stop in its own way when the process that started it is gone, and with it our standard input."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, and that worker processes can have."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    listener.set_inheritable(True)
    return listener
