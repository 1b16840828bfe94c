from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from nebengjek.management import city
from simulation.city.invariants import check
from simulation.city.run import CityResult
from tests.simulation.city.ride import honest


def test_broken_promises_fail_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    """A violation is listed with the ride, its frames are kept, and the command fails."""
    settings.DEBUG = True

    async def spoilt(*_: Any) -> CityResult:
        record, facts = honest()
        del record.frames["Putri"][-2]
        return CityResult(record, facts, check(record, facts), mishaps=[], cuts=0, seconds=1)

    monkeypatch.setattr(city, "run_city", spoilt)
    page = tmp_path / "report.html"
    with pytest.raises(CommandError, match="1 promises were not kept"):
        call_command("simulate", "--city", "--report", str(page), "--evidence", str(tmp_path / "kept"))
    assert "VIOLATION: order: passenger" not in (shown := capsys.readouterr().err)
    assert "VIOLATION: order: Putri got ride_completed 7 instead of 6: lost" in shown
    assert "payment_process" not in (tmp_path / "kept" / "violation-001.jsonl").read_text().splitlines()[-2]
    assert "What was broken" in page.read_text()


def test_the_promise_of_a_search_follows_the_settings(settings: Any) -> None:
    """A search may take all its attempts."""
    before = city.promises().search
    settings.MATCH_MAX_ATTEMPTS *= 2
    assert city.promises().search > before * 1.5


def test_saved_runs_can_be_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    """What the command saves of two policies, it compares; each has the settings of matching beside it."""
    settings.DEBUG = True

    async def lives(*_: Any) -> CityResult:
        return CityResult(*honest(), [], mishaps=[], cuts=0, seconds=60)

    monkeypatch.setattr(city, "run_city", lives)
    for name, window in (("a", 0), ("b", 5)):
        settings.MATCH_WINDOW = timedelta(seconds=window)
        call_command("simulate", "--city", "--unhurried", "--save", str(tmp_path / name))
    call_command("simulate", "--compare", str(tmp_path / "a"), str(tmp_path / "b"))
    shown = capsys.readouterr().out
    assert "A is a (MATCH_WINDOW=0s), B is b (MATCH_WINDOW=5s). Seeds: 1." in shown
    assert "hurries 0" in shown
    assert (
        "| rides completed per minute | 1.00 (1.00 to 1.00) | 1.00 (1.00 to 1.00) | +0.00 (one seed) | +0.0 |" in shown
    )
