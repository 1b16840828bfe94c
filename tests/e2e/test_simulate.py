"""`manage.py simulate` on a real server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e


def test_simulated_rides_are_completed(start_server: StartServer) -> None:
    """`manage.py simulate` completes its rides with the right fares."""
    server = start_server(RIDES_MAX_SPEED_KMH="0")
    args = ("--rides", "4", "--drivers", "2", "--passengers", "2", "--speed", "200", "--url", server.url)
    done = server.manage("simulate", *args)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 rides completed" in done.stdout
    assert "0 errors, 0 wrong fares." in done.stdout
    again = server.manage("simulate", *args, "--seed", "2", "--rides", "2")
    assert "2 of 2 rides completed" in again.stdout, again.stdout + again.stderr


def test_frames_are_shown_in_order(start_server: StartServer) -> None:
    """`simulate --show-frames` prints the frames of a ride in order."""
    server = start_server(RIDES_MAX_SPEED_KMH="0")
    args = ("--rides", "1", "--drivers", "1", "--passengers", "1", "--speed", "200", "--show-frames")
    done = server.manage("simulate", *args, "--url", server.url)
    shown = [m[1] for m in re.finditer(r"passenger 1 +<- (\w+)", done.stdout)]
    steps = ["session_ready", "match_proposal", "ride_pickup", "ride_start", "ride_arrived", "ride_completed"]
    assert [shown.index(step) for step in steps] == sorted(shown.index(step) for step in steps)


def test_a_missing_server_is_reported(transactional_db: None, settings: Any) -> None:
    """`simulate` without a server ends with a message instead of a traceback."""
    settings.DEBUG = True
    with pytest.raises(CommandError, match=r"http://127\.0\.0\.1:1 cannot be used"):
        call_command("simulate", "--url", "http://127.0.0.1:1")
    with pytest.raises(CommandError, match="--rides must be above 0"):
        call_command("simulate", "--rides", "0")
