"""The distributed system on this machine, as `make run-distributed` starts it."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devservers import local
from devservers.process import ProcessError, free_port
from devservers.servers import NatsServer, PostgresServer, ValkeyServer
from nebengjek.settings import BASE_DIR, DECLARED_VARIABLES
from tests.patience import FACTOR

KINDS = (PostgresServer, ValkeyServer, NatsServer)
PATIENCE = 120 * FACTOR
"""Seconds until a line must have come."""


class Local:
    """A running `python -m devservers.local`."""

    def __init__(self, folder: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if name not in DECLARED_VARIABLES}
        self.env = {
            **clean, "DJANGO_SETTINGS_MODULE": "nebengjek.settings", "DOTENV": ".env.of-no-tests",
            "RIDES_MAX_SPEED_KMH": "0",
        }  # fmt: skip
        self.folder = folder
        self.port = free_port()
        self.lines: list[str] = []
        self._queue: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "devservers.local", "--port", str(self.port), "--folder", str(folder)],
            cwd=BASE_DIR, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str) -> str:
        """Return the first group of a pattern, once a line has it that was not looked at yet."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                line = self._queue.get(timeout=1)
            except queue.Empty:
                continue
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"{pattern!r} is not in the output:\n{''.join(self.lines)}")

    def end(self, number: signal.Signals) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line)
                self._queue.put(line)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Local]:
    """The whole system, running."""
    for kind in KINDS:
        if kind.find() is None:
            pytest.skip(kind.missing)
    started = Local(tmp_path / "distributed")
    yield started
    if started.process.poll() is None:
        started.end(signal.SIGTERM)
    for kind in KINDS:
        kind(started.folder / kind.name).wipe()


@pytest.mark.e2e
def test_the_system_runs_and_recovers(running: Local) -> None:
    """The whole system starts, restarts killed processes, takes a ride and stops in order."""
    running.wait_for(r"(Everything runs): http://127\.0\.0\.1:")
    bridge = running.wait_for(r"bridge-1 +pid (\d+)")
    nats = running.wait_for(r"nats +pid (\d+)")

    os.kill(int(bridge), signal.SIGKILL)
    running.wait_for(r"bridge-1 +\| (has ended by SIGKILL)")
    running.wait_for(r"bridge-1 +\| started, pid (\d+)")
    os.kill(int(nats), signal.SIGKILL)
    running.wait_for(r"nats +\| (has ended by SIGKILL)")
    running.wait_for(r"nats +\| started, pid (\d+)")
    take_a_ride(running)

    assert running.end(signal.SIGTERM) == 0
    stopped = [line.split()[0] for line in running.lines if line.endswith("| stopped.\n")]
    assert stopped == ["web", "dispatcher", "bridge-2", "bridge-1", "nats", "valkey", "postgres"]


def take_a_ride(running: Local) -> None:
    """As the introduction says."""
    variables = dict(line.split("=", 1) for line in (running.folder / "env").read_text().splitlines())
    options = ["--rides", "1", "--drivers", "1", "--passengers", "1", "--speed", "50"]
    done = subprocess.run(
        [sys.executable, "manage.py", "simulate", *options],
        cwd=BASE_DIR, env={**running.env, **variables},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr + "".join(running.lines)


def test_two_cannot_use_one_folder(tmp_path: Path) -> None:
    """A second instance in the same folder is refused."""
    with local.only_one(tmp_path), pytest.raises(ProcessError, match="runs already"), local.only_one(tmp_path):
        pass
    with local.only_one(tmp_path):
        pass


def test_a_closed_port_is_not_ready() -> None:
    """A port where nothing listens is not ready."""
    assert not local.is_ready(f"http://127.0.0.1:{free_port()}")
