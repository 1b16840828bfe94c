"""`manage.py simulate --city` on a real server."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from nebengjek.settings import BASE_DIR
from tests.e2e.conftest import StartServer
from tests.patience import FACTOR

pytestmark = pytest.mark.e2e

LIMITS = {"RIDES_MAX_SPEED_KMH": "0", "MATCH_RESPONSE_TIMEOUT": "5s"}
PEOPLE = ("--drivers", "20", "--passengers", "15", "--speed", "40")


def test_a_small_city(start_server: StartServer, tmp_path: Path) -> None:
    """Twenty drivers and thirty rides break no promise, and the books and the report agree with that."""
    server, page = start_server(**LIMITS), tmp_path / "city.html"
    arguments = ("--city", "--rides", "30", *PEOPLE, "--url", server.url, "--report", str(page))
    done = server.manage("simulate", *arguments, "--evidence", str(tmp_path / "evidence"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 violations." in done.stdout
    completed = re.search(r"(\d+) COMPLETED", done.stdout)
    assert completed
    assert int(completed[1]) >= 15  # the others were cancelled, as moods are
    assert server.manage("audit").returncode == 0
    assert page.read_text().count("<svg") == 4
    assert not (tmp_path / "evidence").exists()


def test_an_interrupted_city_settles(start_server: StartServer) -> None:
    """After SIGINT people finish what they have begun, everything is checked, and the exit code says it was not all."""
    server = start_server(**LIMITS)
    command = [sys.executable, "manage.py", "simulate", "--city", "--rides", "500", "--drivers", "3", "--speed", "40"]
    with subprocess.Popen(
        [*command, "--url", server.url], cwd=BASE_DIR, env=server.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as city:  # fmt: skip
        assert city.stderr is not None
        while "1/500" not in city.stderr.readline():  # tqdm's carriage returns end lines in text mode
            assert city.poll() is None
        city.send_signal(signal.SIGINT)
        out, err = city.communicate(timeout=90 * FACTOR)
    assert city.returncode == 1
    assert "0 violations." in out, out + err
    assert "Not all rides were taken: interrupted." in err
    assert "Traceback" not in err


def test_only_http_is_reached(transactional_db: None, settings: Any) -> None:
    """An address that is not http is refused with a message."""
    settings.DEBUG = True
    with pytest.raises(CommandError, match=r"https://127\.0\.0\.1:1"):
        call_command("simulate", "--city", "--url", "https://127.0.0.1:1")
