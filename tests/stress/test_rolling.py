"""A small share of `python -m tests.stress.rolling`: web processes are restarted and killed while people ride."""

import os
import subprocess
import sys

import pytest

from nebengjek.settings import BASE_DIR
from tests.patience import FACTOR

pytestmark = pytest.mark.e2e


def test_rides_survive_restarts_and_kills() -> None:
    """Rides go on while web processes are restarted and killed, and no notification is missed."""
    arguments = ["--people", "3", "--rides", "6", "--speed", "20", "--pause", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.rolling", *arguments],
        cwd=BASE_DIR, env={**os.environ, "DOTENV": ".env.of-no-tests"},
        capture_output=True, text=True, timeout=300 * FACTOR, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 rides completed" in done.stdout
    assert "times stopped" in done.stdout
