"""Processes that are forked from one that has imported the libraries, where nothing tells them from started ones.

`tests/fork_server.py` is that process. Linux alone lets a process adopt what another has forked; elsewhere, and where
a command or its environment is not what that process can imitate, they are started as usual.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

from devservers.templates import TEMPLATE_CLUSTER, TEMPLATE_DATABASE
from devservers.web import completed
from nebengjek.settings import BASE_DIR, DECLARED_VARIABLES
from tests.fork_server import MOST_BYTES

PR_SET_CHILD_SUBREAPER = 36

OURS = {*DECLARED_VARIABLES, "DJANGO_SETTINGS_MODULE", "DOTENV", TEMPLATE_DATABASE, TEMPLATE_CLUSTER}
"""Variables that our code alone reads, and it is imported later."""

READ_LATER = re.compile(r"OTEL_BSP_\w+|DJANGO_SUPERUSER_\w+|NATS_\w+_PASSWORD|PYTEST_\w+")
"""Variables that others read when they are used, not imported; all further ones must be those of the fork server."""

PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
"""What `Popen` calls the ends of its pipes."""


class ForkServer:
    """The process that forks, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._env: dict[str, str] = {}

    def can_start(self, args: Any, cwd: Any, env: dict[str, str] | None) -> bool:
        """Tell whether a process would be the same as one that is started."""
        if sys.platform != "linux" or env is None or str(cwd) != str(BASE_DIR):
            return False
        program, *command = args
        if program != sys.executable or not command or not (command[0] == "-m" or command[0].endswith(".py")):
            return False
        self._start()
        return _of_others(env) == self._env

    def start(self, command: list[str], env: dict[str, str], files: list[int]) -> int:
        """Return the number of a new process, a child of this one, that runs a script or a module."""
        request = json.dumps({"command": command, "env": env}).encode()
        with self._lock, _adopting():
            assert self._link is not None
            socket.send_fds(self._link, [request], files)
            answers = self._receive() | self._receive()
        return int(answers["pid"])

    def stop(self) -> None:
        """End it; what it has started goes on."""
        with self._lock:
            if self._process is None or self._link is None:
                return
            self._link.close()
            self._process.wait()
            self._process = self._link = None

    def _start(self) -> None:
        with self._lock:
            if self._link is not None:
                return
            link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            env = {name: value for name, value in os.environ.items() if name not in OURS}
            command = [sys.executable, "-m", "tests.fork_server"]
            with theirs:
                self._process = subprocess.Popen(
                    command, cwd=BASE_DIR, env={**env, "PYTHONUNBUFFERED": "1"}, stdin=theirs.fileno()
                )
            self.use(link)

    def use(self, link: socket.socket) -> None:
        """Have everything forked by the process at the other end of a link."""
        self._link = link
        self._env = _of_others(self._receive()["env"])

    def _receive(self) -> dict[str, Any]:
        assert self._link is not None
        message = self._link.recv(MOST_BYTES)
        assert message, "The fork server has ended; see what it printed."
        found: dict[str, Any] = json.loads(message)
        return found


fork_server = ForkServer()


class Forked(subprocess.Popen[str]):
    """`subprocess.Popen` that forks where it can. What is forked is a child of this process like any other."""

    def _execute_child(self, *args: Any) -> None:
        """Do what `Popen` does at this place: make the process, and leave to it its ends of the pipes."""
        ordinary = super()._execute_child  # type: ignore[misc]
        given = inspect.signature(ordinary).bind(*args).arguments
        if not fork_server.can_start(given["args"], given["cwd"], given["env"]):
            ordinary(*args)
            return
        theirs = [given["p2cread"], given["c2pwrite"], given["errwrite"]]
        files = [number if file == -1 else file for number, file in enumerate(theirs)]
        self.pid = fork_server.start(given["args"][1:], given["env"], files)
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in PIPES))  # type: ignore[attr-defined]


def run(module: str, *arguments: str, env: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a module in the folder of the project, and return what it prints; processes that it starts are forked."""
    unbuffered = {**env, "PYTHONUNBUFFERED": "1"}
    # started, not forked: a benchmark that was forked has hung once
    command = [sys.executable, "-m", "tests.forking", module, *arguments]
    return completed(subprocess.Popen, command, unbuffered, timeout)


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Let a process that loses its parent, and descends from this one, become a child of this one."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        _prctl(PR_SET_CHILD_SUBREAPER, 0)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _of_others(env: dict[str, str]) -> dict[str, str]:
    """Return the variables that libraries or Python may have read."""
    return {name: value for name, value in env.items() if name not in OURS and not READ_LATER.fullmatch(name)}
