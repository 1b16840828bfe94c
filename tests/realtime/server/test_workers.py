"""Several processes on one port: small ones, but real."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nebengjek.settings import BASE_DIR
from realtime.server.workers import MAX_FAILED_STARTS, listen
from tests.patience import TIMEOUT

WORKER = """
import os, pathlib, signal, socket, sys
from realtime.server.workers import end_with_parent, tell_parent_that_it_serves

def say(text):
    os.write(1, f"worker {sys.argv[1]} {text}\\n".encode())

def end(number, frame):
    say("ends")
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
end_with_parent()
if pathlib.Path(__file__).with_name(f"broken-{sys.argv[1]}").exists():
    say("is broken")
    sys.exit(3)
listener = socket.socket(fileno=int(sys.argv[-1]))
tell_parent_that_it_serves()
say("begins")
while True:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1)
        connection.sendall(f"{sys.argv[1]} {os.getpid()}".encode())
"""

MANAGER = """
import logging, sys
from realtime.server import workers
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
workers.RESTART_DELAY = workers.LOOK_INTERVAL = 0.02
listener = workers.listen("127.0.0.1", 0)
print(f"port {listener.getsockname()[1]}", flush=True)
try:
    workers.Workers(listener, [[sys.argv[1], str(place)] for place in range(int(sys.argv[2]))]).run()
except workers.CannotStartError as exc:
    sys.exit(f"Gave up: {exc}")
print("Done.", flush=True)
"""


class Manager:
    """A process that keeps workers running; those at the places in `broken` cannot start."""

    def __init__(self, folder: Path, count: int, broken: Sequence[int] = ()) -> None:
        self.folder = folder
        (folder / "worker.py").write_text(WORKER)
        for place in broken:
            self.breaks(place)
        command = [sys.executable, "-c", MANAGER, str(folder / "worker.py"), str(count)]
        env = {**os.environ, "PYTHONPATH": str(BASE_DIR)}
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.process: subprocess.Popen[str] = subprocess.Popen(command, env=env, start_new_session=True, **pipes)
        self.patience = threading.Timer(TIMEOUT, self.process.kill)  # then nobody waits for its output any more
        self.patience.start()
        assert self.process.stdout is not None
        self.output = self.process.stdout
        self.port = int(self.wait_for("port").split()[1])
        for _ in range(count - len(broken)):
            self.wait_for("begins")

    def breaks(self, place: int) -> None:
        """Let no worker start at a place from now on."""
        (self.folder / f"broken-{place}").touch()

    def mends(self, place: int) -> None:
        """Let workers start there again."""
        (self.folder / f"broken-{place}").unlink()

    def kill(self, place: int) -> int:
        """Kill the worker at a place, and return its pid."""
        _, pid = self.ask_until(lambda answer: answer[0] == place)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for(self, text: str) -> str:
        """Return the next line of the output that says so."""
        for line in self.output:
            if text in line:
                return line
        raise AssertionError(f"{text!r} was not said")

    def ask(self) -> tuple[int, int]:
        """Return the place and the pid of the worker that answers a client."""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as connection:
            connection.sendall(b"?")
            place, pid = connection.recv(100).split()
        return int(place), int(pid)

    def ask_until(self, wanted: Callable[[tuple[int, int]], bool]) -> tuple[int, int]:
        """Ask until an answer is as wanted, and return it."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionError, ValueError):  # of a worker that is about to die
                if wanted(answer := self.ask()):
                    return answer
        raise AssertionError("nobody answered so")

    def end(self, number: signal.Signals) -> list[str]:
        """Ask it to end; return what was said until the last process had gone."""
        self.process.send_signal(number)
        return self.ended(0)

    def ended(self, code: int) -> list[str]:
        """Wait for its end, and return what was said until the last process had gone."""
        rest = self.output.read().splitlines()
        assert self.process.wait(TIMEOUT) == code
        return rest


@pytest.fixture
def manage(tmp_path: Path) -> Iterator[Callable[..., Manager]]:
    """Start managers of two workers."""
    started: list[Manager] = []

    def start(broken: Sequence[int] = ()) -> Manager:
        started.append(Manager(tmp_path, 2, broken))
        return started[-1]

    yield start
    for made in started:
        made.patience.cancel()
        made.process.kill()  # and with it its workers
        made.process.wait()
        made.output.close()


@pytest.fixture
def manager(manage: Callable[..., Manager]) -> Manager:
    """A manager of two workers."""
    return manage()


def test_all_serve_the_same_port(manager: Manager) -> None:
    """Every worker answers clients of the one port."""
    (_, first), (_, second) = (manager.ask_until(lambda answer: answer[0] == place) for place in (0, 1))  # noqa: B023
    assert len({first, second, manager.process.pid}) == 3
    assert sorted(manager.end(signal.SIGTERM)) == ["Done.", "worker 0 ends", "worker 1 ends"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_workers_end_gracefully(manager: Manager, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C reach the workers, which end in their own way before the server does."""
    rest = manager.end(number)
    assert sorted(rest[:2]) == ["worker 0 ends", "worker 1 ends"]
    assert rest[2:] == ["Done."]


def test_a_dead_worker_is_replaced(manager: Manager) -> None:
    """A worker that dies is followed by another, and the others are left alone."""
    for _ in range(2):
        dead = manager.kill(1)
        assert manager.wait_for("Worker 2 ") == f"Worker 2 (pid {dead}) ended, exit code -9.\n"
        manager.wait_for("worker 1 begins")
        assert manager.ask_until(lambda answer: answer[0] == 1)[1] != dead
    assert manager.ask_until(lambda answer: answer[0] == 0)
    last = [line for line in manager.end(signal.SIGTERM) if " has the pid " not in line]  # may be said after it begins
    assert sorted(last) == ["Done.", "worker 0 ends", "worker 1 ends"]


def test_workers_that_cannot_start_end_the_server(manage: Callable[..., Manager]) -> None:
    """When no worker can be started, the server gives up with an error after five tries of one of them."""
    said = manage(broken=[0, 1]).ended(1)
    tries = [line for line in said if line.endswith("failed to start, exit code 3.")]
    assert max(sum(f"Worker {number} " in line for line in tries) for number in (1, 2)) == MAX_FAILED_STARTS
    assert said[-1] == "Gave up: No worker could be started in 5 tries; the log says why."


def test_one_broken_worker_stops_no_others(manage: Callable[..., Manager]) -> None:
    """A worker that cannot start is tried again for as long as another one serves, and starts when it can."""
    manager = manage(broken=[1])
    for _ in range(MAX_FAILED_STARTS + 2):
        manager.wait_for("Worker 2 ")
    assert manager.ask()[0] == 0
    manager.mends(1)
    manager.wait_for("worker 1 begins")
    assert sorted(manager.end(signal.SIGTERM)) == ["Done.", "worker 0 ends", "worker 1 ends"]


def test_failed_starts_end_the_server_later_too(manage: Callable[..., Manager]) -> None:
    """The server also gives up when the worker that served dies and can be replaced as little as the other."""
    manager = manage(broken=[1])
    manager.breaks(0)
    manager.kill(0)
    assert manager.ended(1)[-1].startswith("Gave up: ")


def test_deaths_of_serving_workers_are_no_failed_starts(manager: Manager) -> None:
    """A worker that serves before it dies counts as started, however often that happens."""
    for _ in range(MAX_FAILED_STARTS + 1):
        manager.kill(0)
        manager.wait_for("worker 0 begins")
    assert manager.ask_until(lambda answer: answer[0] == 0)
    assert manager.end(signal.SIGTERM)[-1] == "Done."


def test_a_stopping_server_starts_no_worker(manager: Manager) -> None:
    """A server that is told to end while a worker is missing does not replace it."""
    manager.kill(1)
    manager.wait_for("Worker 2 ")
    rest = manager.end(signal.SIGTERM)
    assert rest[-1] == "Done."
    assert rest.count("worker 1 begins") <= rest.count("worker 1 ends") + 1  # one that was being started just then


def test_workers_end_with_a_killed_parent(manager: Manager) -> None:
    """Workers end in their own way when their parent was killed."""
    manager.process.kill()
    assert sorted(manager.output.read().splitlines()) == ["worker 0 ends", "worker 1 ends"]


def test_a_taken_port_is_refused() -> None:
    """Listening on a port of somebody else raises `OSError`."""
    with listen("127.0.0.1", 0) as listener, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", listener.getsockname()[1])


def test_worker_processes_inherit_the_socket() -> None:
    """The listening socket can be inherited."""
    with listen("127.0.0.1", 0) as listener:
        assert listener.get_inheritable()
