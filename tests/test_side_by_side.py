"""Commands that run at the same time."""

from __future__ import annotations

import sys

import pytest

from tests.side_by_side import main

MEET = """
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.01)
print("from", sys.argv[3])
"""


def test_both_run_and_print(tmp_path: object, capfd: pytest.CaptureFixture[str]) -> None:
    """Each waits for the other; the output of the first comes first."""
    here, there = f"{tmp_path}/here", f"{tmp_path}/there"
    python = f"{sys.executable} -c '{MEET}'"
    assert main([f"{python} {here} {there} one", f"{python} {there} {here} other"]) == 0
    assert capfd.readouterr().out == "from one\nfrom other\n"


@pytest.mark.parametrize("commands", [("false", "true"), ("true", "false")])
def test_one_failure_is_enough(commands: tuple[str, ...]) -> None:
    """Whichever fails, the whole has failed."""
    assert main(commands) == 1
