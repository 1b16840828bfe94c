"""A small share of `python -m tests.stress.rolling`: web processes are restarted and killed while people ride."""

import pytest

from tests.forked import run
from tests.patience import FACTOR

pytestmark = pytest.mark.e2e


def test_rides_survive_restarts_and_kills(templates: dict[str, str]) -> None:
    """Rides go on while web processes are restarted and killed, and no notification is missed."""
    arguments = ["--people", "3", "--rides", "6", "--speed", "20", "--pause", "3"]
    done = run("-m", "tests.stress.rolling", *arguments, env=templates, timeout=300 * FACTOR)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 rides completed" in done.stdout
    assert "times stopped" in done.stdout
