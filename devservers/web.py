"""A server process, started and ended by benchmarks and tests."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import httpx

from devservers.patience import FACTOR, POLL, TIMEOUT
from devservers.templates import copy_database
from nebengjek.settings import BASE_DIR, DECLARED_VARIABLES


def completed(
    popen: type[subprocess.Popen[str]],
    command: Sequence[str],
    env: Mapping[str, str],
    timeout: float,
    cwd: Path = BASE_DIR,
) -> subprocess.CompletedProcess[str]:
    """Run a command that reads nothing, and return its output when it has ended; after so many seconds it is killed."""
    pipes: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with popen(command, cwd=cwd, env=env, text=True, **pipes) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


class ServerProcess:
    """`manage.py serve`, or another server command, on a database of its own."""

    popen: ClassVar[type[subprocess.Popen[str]]] = subprocess.Popen
    """What starts processes; the tests have a cheaper one."""

    def __init__(self, folder: Path, *command: str, **env: str) -> None:
        self.folder = folder
        self.database = folder / "e2e.sqlite3"
        self.command = command or ("manage.py", "serve", "--port", "0")
        clean = {name: value for name, value in os.environ.items() if name not in DECLARED_VARIABLES}
        self.env = {
            **clean,
            "DJANGO_SETTINGS_MODULE": "nebengjek.settings",
            "DOTENV": ".env.of-no-tests",
            "DEBUG": "true",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PYTHONUNBUFFERED": "1",
            "API_THROTTLE": "0",
            "OTP_MAX_PER_HOUR": "0",
            "WS_COMMAND_RATE": "0",
            "WS_COSTLY_RATE": "0",
            "WS_CONNECT_RATE": "0",
            **env,
        }
        self.code = BASE_DIR
        self.url = ""
        self.output: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader: threading.Thread | None = None
        self.process: subprocess.Popen[str] | None = None

    def run_from(self, code: Path) -> None:
        """Take the code of another folder, such as another version, from the next start on."""
        self.code = code
        self.env["PYTHONPATH"] = os.pathsep.join((str(code / "clients" / "python" / "src"), str(code)))

    def manage(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a management command on the same database."""
        return completed(self.popen, [sys.executable, "manage.py", *args], self.env, 180 * FACTOR, self.code)

    def migrate(self) -> None:
        """Make all tables of its database, by copying it from one that has them where there is one."""
        if self.env["DATABASE_URL"] == f"sqlite:///{self.database}" and copy_database(self.database):
            return
        done = self.manage("migrate", "--verbosity", "0")
        assert done.returncode == 0, done.stderr

    def start(self, url: str = "") -> ServerProcess:
        """Start, and wait until it prints where it listens, or until it answers at `url`."""
        self.launch()
        self.url = url or self.wait_for(r"NebengJek serves (http://\S+) ")
        self.wait_until_it_answers()
        return self

    def launch(self) -> ServerProcess:
        """Start, and wait for nothing."""
        self.process = self.popen(
            [sys.executable, *self.command],
            cwd=self.code, env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def wait_until_it_answers(self) -> None:
        """Wait until it answers at its `url`."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and self.is_alive:
            try:
                httpx.get(f"{self.url}/health/live", timeout=TIMEOUT)
            except httpx.TransportError:
                time.sleep(POLL)
            else:
                return
        raise AssertionError(f"{self.url} does not answer:\n{''.join(self.output)}")

    def wait_for(self, pattern: str) -> str:
        """Return the first group of a pattern, once it stands in the output."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                assert self.process is not None
                assert self.process.poll() is None, "".join(self.output)
                continue
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"{pattern!r} is not in the output:\n{''.join(self.output)}")

    def kill(self) -> None:
        """End it without any warning."""
        assert self.process is not None
        self.process.kill()
        self._wait()

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def log_in(self, msisdn: str, *, driver: bool = False) -> str:
        """Return an access token, with a code from the console."""
        with httpx.Client(base_url=self.url, timeout=TIMEOUT) as client:
            assert client.post("/api/auth/otp/", json={"msisdn": msisdn}).status_code == 202
            code = self.wait_for(rf"SMS to {re.escape(msisdn)}: (\d{{6}}) is your NebengJek code\.")
            session = client.post("/api/auth/token/", json={"msisdn": msisdn, "otp": code}).json()
            if driver and session["user"]["role"] != "driver":
                session = client.post(
                    "/api/drivers/",
                    json={"vehicle_type": "motorcycle", "vehicle_plate": "B 1234 XYZ"},
                    headers={"Authorization": f"Bearer {session['access']}"},
                ).json()
        return str(session["access"])

    def get(self, path: str, token: str) -> httpx.Response:
        """Read something over REST."""
        return httpx.get(self.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT)

    def _wait(self) -> int:
        """Wait for the end, and leave neither a process, a thread nor a pipe behind."""
        assert self.process is not None
        assert self.process.stdout is not None
        assert self._reader is not None
        code = self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            self._lines.put(line)
