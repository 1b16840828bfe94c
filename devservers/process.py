"""Processes that this one starts, and ends by their pids; among them servers with their data in a folder."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

from devservers import keeper
from devservers.patience import FACTOR, POLL, until_true

START_TIMEOUT = 60 * FACTOR
"""Seconds until a server that was started must answer, also on a busy machine."""

STOP_TIMEOUT = 30 * FACTOR
"""Seconds for a server to end after SIGTERM."""

WIPE_TIMEOUT = 10 * FACTOR
"""Seconds for what a killed server has left behind to let go of the data."""

PORTS = range(20_000, 32_000)
"""Below those that a system gives by itself to connections, and to servers that take any (Linux from 32,768 on, others
from 49,152): so a port that is free stays so until it is used."""

TAIL = 30
"""Lines of a server's log in an error."""


class ProcessError(RuntimeError):
    """A process is not there, does not start or does not stop; for a server the text ends with its log."""


class Process(ABC):
    """A process that can be started, and started again; it is ended with this one, however this one ends."""

    name: str
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> Self:
        """Start it."""

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The number of the process; raises `ProcessError` where none was started."""
        if self.process is None:
            raise ProcessError(f"{self.name} is not running.")
        return self.process.pid

    def stop(self) -> None:
        """Tell it to end, and wait for that; nothing to do where it does not run."""
        if self.process is None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessError(self.report(f"does not stop within {STOP_TIMEOUT:g} s")) from None
        self._ended()

    def kill(self) -> None:
        """End it without any warning (SIGKILL), and wait for that; nothing to do where it does not run."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self._ended()

    def report(self, what: str) -> str:
        """Return the text of an error."""
        return f"{self.name} {what}."

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start the process, in place of one that has ended."""
        if self.running:
            raise ProcessError(f"{self.name} runs already.")
        if self.process is not None:
            self._ended()
        # A session of its own: Ctrl-C in a terminal is for us, who stop things in order.
        options |= {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "start_new_session": True}
        process: subprocess.Popen[bytes] = subprocess.Popen(command, **options)
        keeper.keep(process.pid, self.stop_signal)
        self.process = process
        return process

    def _ended(self) -> None:
        keeper.release(self.pid)
        self.process = None


class Server(Process):
    """A server; `start` after `stop` or `kill` is on the same port with the same data.

    Reason for its size: each step of a server's life is a method that a kind of server can replace.
    """

    missing: ClassVar[str]
    """Why it cannot be had, where `find` returns None."""
    ready: ClassVar[str]
    """What it writes when it takes clients; its own word, since another server may answer on the same port."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        super().__init__()
        self.folder = folder.absolute()
        self.port = port or free_port()
        self._log_start = 0

    @classmethod
    @abstractmethod
    def find(cls) -> Path | None:
        """Return the program, or None."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The address, as the settings take it."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line."""

    @property
    def data(self) -> Path:
        """Where its data is."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The file that it writes its output to."""
        return self.folder / f"{self.name}.log"

    @property
    def program(self) -> Path:
        """The program; raises `ProcessError` where there is none."""
        if found := self.find():
            return found
        raise ProcessError(self.missing)

    def start(self) -> Self:
        """Start, and wait until it answers; raise `ProcessError` with the end of its log where it does not."""
        if self.running:
            raise ProcessError(f"{self.name} runs already.")
        if self.find() is None:
            raise ProcessError(self.missing)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self._launch_server()
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise
        return self

    def wipe(self) -> None:
        """Delete its data, so that it starts empty."""
        if self.running:
            raise ProcessError(f"{self.name} runs: stop it before its data is deleted.")
        try:
            until_true(self._try_to_wipe, seconds=WIPE_TIMEOUT)
        except TimeoutError:
            raise ProcessError(f"The data of {self.name} in {self.data} cannot be deleted.") from None

    def prepare(self) -> None:
        """Make what the process needs before it starts."""
        self.data.mkdir(exist_ok=True)

    def account(self) -> dict[str, Any]:
        """Return the arguments of `subprocess` for the account of the process."""
        return {}

    def should_start_again(self) -> bool:
        """Tell whether it has ended for a reason that passes."""
        return False

    def output(self) -> str:
        """Return what it has written since it was started."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def report(self, what: str) -> str:
        """Return the text of an error, which ends with the end of the log."""
        tail = "\n".join(self.output().splitlines()[-TAIL:])
        return f"{self.name} on port {self.port} {what}:\n{tail}"

    def _launch_server(self) -> None:
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            env = {**os.environ, "LC_ALL": "C"}
            self._launch(self.command(), cwd=self.data, env=env, stdout=log, **self.account())

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not (self.ready in self.output() and self.running):
            if time.monotonic() > deadline:
                raise ProcessError(self.report(f"does not answer within {START_TIMEOUT:g} s"))
            if not self.running:
                if not self.should_start_again():
                    raise ProcessError(self.report("has ended before it answered"))
                self._launch_server()
            time.sleep(POLL)

    def _try_to_wipe(self) -> bool:
        shutil.rmtree(self.data, ignore_errors=True)
        return not self.data.exists()


def free_port() -> int:
    """Return a port that nobody uses."""
    while True:
        port = secrets.choice(PORTS)  # not `random`, which tests set to begin the same in several processes
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
