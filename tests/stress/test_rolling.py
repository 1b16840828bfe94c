"""A small share of `python -m tests.stress.rolling`: web processes are restarted and killed while people ride."""

import pytest

from tests.stress.rolling import main

pytestmark = pytest.mark.e2e


def test_rides_survive_restarts_and_kills(
    templates: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Rides go on while web processes are restarted and killed, and no notification is missed."""
    for name, value in templates.items():
        monkeypatch.setenv(name, value)
    code = main(["--people", "3", "--rides", "6", "--speed", "20", "--pause", "3"])
    shown, log = capfd.readouterr()
    assert code == 0, shown + log
    assert "6 of 6 rides completed" in shown
    assert "times stopped" in shown
