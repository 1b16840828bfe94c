"""A small share of `python -m tests.stress.city --faults`: the city lives while processes are killed and frozen."""

import os
import subprocess
import sys

import pytest

from nebengjek.settings import BASE_DIR
from tests.patience import FACTOR

pytestmark = pytest.mark.e2e


def test_a_city_survives_kills_and_freezes() -> None:
    """On the whole system no promise is broken while its processes are killed, frozen and restarted."""
    people = ["--drivers", "6", "--passengers", "5", "--rides", "6", "--speed", "60"]
    arguments = ["--faults", "--only", "processes", "--every", "45", *people]
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.city", *arguments],
        cwd=BASE_DIR, env={**os.environ, "DOTENV": ".env.of-no-tests"},
        capture_output=True, text=True, timeout=240 * FACTOR, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 violations." in done.stdout
    assert "times kill" in done.stdout
