"""`manage.py simulate --city` on a real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e

LIMITS = {"RIDES_MAX_SPEED_KMH": "0", "MATCH_RESPONSE_TIMEOUT": "3s"}
PEOPLE = ("--drivers", "20", "--passengers", "20", "--speed", "40")


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
    assert page.read_text().count("<svg") >= 4
    assert not (tmp_path / "evidence").exists()
