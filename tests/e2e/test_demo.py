"""`serve --demo`: the town that lives by itself."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from devservers.web import ServerProcess
from tests.e2e.conftest import StartServer
from tests.patience import TIMEOUT, until_true

pytestmark = pytest.mark.e2e
DEMO = ("manage.py", "serve", "--demo", "--port", "0")


def wait_for_rides(server: ServerProcess, status: str, count: int) -> None:
    """Wait until the database has so many rides of a status."""
    query = "SELECT count(*) FROM rides_ride WHERE status = ?"
    with closing(sqlite3.connect(server.database)) as database:
        until_true(lambda: database.execute(query, [status]).fetchone() >= (count,), f"There are not {count} {status}.")


def test_rides_come_by_themselves(start_server: StartServer) -> None:
    """The demo town takes rides, and its staff account can see them in the admin."""
    server = start_server(*DEMO)
    wait_for_rides(server, "PICKUP", 1)
    found = re.search(r"Staff: \S+ with (\S+) and (\S+) \(", "".join(server.output))
    assert found
    with httpx.Client(base_url=server.url, follow_redirects=True, timeout=TIMEOUT) as browser:
        browser.get("/admin/login/")
        form = {"username": found[1], "password": found[2], "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        page = browser.post("/admin/login/?next=/admin/rides/ride/", data=form, headers={"Referer": server.url}).text
    assert "PICKUP" in page
    assert server.stop() in (0, -15)
    assert "Traceback" not in "".join(server.output)


def test_a_killed_town_lives_on(start_server: StartServer) -> None:
    """After SIGKILL and a restart the town cancels the rides that were left and takes new ones."""
    server = start_server(*DEMO)
    wait_for_rides(server, "PICKUP", 2)
    server.kill()
    server = start_server(*DEMO)
    wait_for_rides(server, "CANCELLED", 2)  # what was left over is cancelled by either side
    wait_for_rides(server, "PICKUP", 1)
    assert "Traceback" not in "".join(server.output)


@pytest.mark.parametrize(
    ("host", "env", "reason"),
    [
        ("127.0.0.1", {"DEBUG": "false"}, "A demo is for development"),
        ("0.0.0.0", {}, "A demo listens on the loopback address only, not on 0.0.0.0"),
    ],
)
def test_unsafe_demos_are_refused(tmp_path: Path, host: str, env: dict[str, str], reason: str) -> None:
    """`serve --demo` refuses to run in production or on an address that others can reach."""
    server = ServerProcess(tmp_path)
    secrets = {"SECRET_KEY": "abcdefgh" * 4, "JWT_SECRET": "ijklmnop" * 4, "SMS_BACKEND": "users.sms.MemorySMS"}
    server.env.update(secrets | env)
    done = server.manage("serve", "--demo", "--host", host, "--port", "0", "--skip-checks")
    assert done.returncode != 0
    assert reason in done.stderr
