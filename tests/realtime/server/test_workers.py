"""Several processes on one port: small ones, but real."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nebengjek.settings import BASE_DIR
from realtime.server.workers import listen

TIMEOUT = 20

WORKER = """
import os, signal, socket, sys
from realtime.server.workers import end_with_parent

def say(text):
    os.write(1, f"worker {sys.argv[1]} {text}\\n".encode())

def end(number, frame):
    say("ends")
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
end_with_parent()
listener = socket.socket(fileno=int(sys.argv[-1]))
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
workers.RESTART_DELAY = workers.LOOK_INTERVAL = 0.05
listener = workers.listen("127.0.0.1", 0)
print(f"port {listener.getsockname()[1]}", flush=True)
workers.Workers(listener, [[sys.argv[1], str(place)] for place in range(int(sys.argv[2]))]).run()
print("Done.", flush=True)
"""


class Manager:
    """A process that keeps workers running."""

    def __init__(self, folder: Path, count: int) -> None:
        (folder / "worker.py").write_text(WORKER)
        command = [sys.executable, "-c", MANAGER, str(folder / "worker.py"), str(count)]
        env = {**os.environ, "PYTHONPATH": str(BASE_DIR)}
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.patience = threading.Timer(TIMEOUT, self.process.kill)  # then nobody waits for its output any more
        self.patience.start()
        assert self.process.stdout is not None
        self.output = self.process.stdout
        self.port = int(self.wait_for("port").split()[1])
        for _ in range(count):
            self.wait_for("begins")

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
        rest = self.output.read().splitlines()
        assert self.process.wait(TIMEOUT) == 0
        return rest


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A manager of two workers."""
    made = Manager(tmp_path, 2)
    yield made
    made.patience.cancel()
    made.process.kill()  # and with it its workers
    made.process.wait()
    made.output.close()


def test_all_serve_the_same_port(manager: Manager) -> None:
    (_, first), (_, second) = (manager.ask_until(lambda answer: answer[0] == place) for place in (0, 1))  # noqa: B023
    assert len({first, second, manager.process.pid}) == 3
    assert sorted(manager.end(signal.SIGTERM)) == ["Done.", "worker 0 ends", "worker 1 ends"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whichever_way_it_is_told_all_end_in_their_own_way(manager: Manager, number: signal.Signals) -> None:
    rest = manager.end(number)
    assert sorted(rest[:2]) == ["worker 0 ends", "worker 1 ends"]
    assert rest[2:] == ["Done."]


def test_a_worker_that_dies_is_followed_by_another(manager: Manager) -> None:
    dead = manager.ask_until(lambda answer: answer[0] == 1)
    for _ in range(2):
        os.kill(dead[1], signal.SIGKILL)
        assert manager.wait_for("Worker 2 ") == f"Worker 2 (pid {dead[1]}) ended with -9.\n"
        manager.wait_for("worker 1 begins")
        following = manager.ask_until(lambda answer: answer[0] == 1)
        assert following[1] != dead[1]
        dead = following
    assert manager.ask_until(lambda answer: answer[0] == 0)  # the other was left alone
    assert sorted(manager.end(signal.SIGTERM)) == ["Done.", "worker 0 ends", "worker 1 ends"]


def test_who_is_told_to_end_while_a_worker_is_missing_starts_no_other(manager: Manager) -> None:
    os.kill(manager.ask_until(lambda answer: answer[0] == 1)[1], signal.SIGKILL)
    manager.wait_for("Worker 2 ")
    rest = manager.end(signal.SIGTERM)
    assert rest[-1] == "Done."
    assert rest.count("worker 1 begins") == rest.count("worker 1 ends")  # none, unless he was faster than we


def test_workers_end_in_their_own_way_when_their_parent_was_killed(manager: Manager) -> None:
    manager.process.kill()
    assert sorted(manager.output.read().splitlines()) == ["worker 0 ends", "worker 1 ends"]


def test_a_port_that_is_taken_is_refused() -> None:
    with listen("127.0.0.1", 0) as listener, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", listener.getsockname()[1])


def test_worker_processes_can_have_the_socket() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.get_inheritable()
