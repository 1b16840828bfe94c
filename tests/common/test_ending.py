"""A process of its own, since the end of it is what is tested."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from common.ending import EXIT_CODE
from tests.patience import TIMEOUT

PROGRAM = """
import sys, threading, time
from datetime import timedelta
import django
django.setup()
from common import ending
ending.LAST_WORDS = timedelta(milliseconds=100)
ending.end_in_time(timedelta(milliseconds=100))
threading.Thread(target=time.sleep, args=[float(sys.argv[1])], name="db-read_0").start()
"""


@pytest.mark.parametrize(("seconds", "code", "line"), [(3600, EXIT_CODE, "db-read_0"), (0, 0, "")])
def test_a_thread_holds_nothing_up(seconds: float, code: int, line: str) -> None:
    """A process whose thread hangs ends all the same and says which; one that ends by itself is left alone."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(seconds)],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "nebengjek.settings", "DEBUG": "true", "SHUTDOWN_TIMEOUT": "1s"},
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert ("ending without it" in done.stderr + done.stdout) == bool(line)
    assert line in done.stderr + done.stdout
