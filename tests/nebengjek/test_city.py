from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from nebengjek.management import city
from simulation.city.invariants import check
from simulation.city.run import Audience, CityResult, Progress
from tests.simulation.city.ride import honest


def test_broken_promises_fail_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    """A violation is listed with the ride, its frames are kept, and the command fails."""
    settings.DEBUG = True

    async def spoilt(_: Any, audience: Audience) -> CityResult:
        record, facts = honest()
        del record.frames["Putri"][-2]
        violations = check(record, facts)
        audience.progress(Progress(rides=1, violations=0))
        for violation in violations:
            audience.violation(violation, record)
            assert (tmp_path / "kept" / "violation-001.jsonl").exists()  # at once
        return CityResult(record, facts, violations, mishaps=[], cuts=0, seconds=1)

    monkeypatch.setattr(city, "run_city", spoilt)
    page = tmp_path / "report.html"
    document = tmp_path / "slo.md"
    document.write_text("x\n<!-- here -->\n<!-- end of here -->\n")
    into = ("--into", f"{document}#here", "--called", "make city")
    with pytest.raises(CommandError, match="1 promises were not kept"):
        call_command("simulate", "--city", "--report", str(page), "--evidence", str(tmp_path / "kept"), *into)
    assert "- 1 violations." in document.read_text()
    assert "<!-- here -->\n`make city`\n" in document.read_text()
    assert "VIOLATION: order: passenger" not in (shown := capsys.readouterr().err)
    assert "VIOLATION: order: Putri got ride_completed 7 instead of 6: lost" in shown
    assert "payment_process" not in (tmp_path / "kept" / "violation-001.jsonl").read_text().splitlines()[-2]
    assert "What was broken" in page.read_text()


def test_a_run_that_was_stopped_has_failed(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """A city without a violation that did not take all its rides is not good enough."""
    settings.DEBUG = True

    async def stopped(*_: Any) -> CityResult:
        return CityResult(*honest(), [], mishaps=[], cuts=0, seconds=1, stopped="interrupted")

    monkeypatch.setattr(city, "run_city", stopped)
    with pytest.raises(CommandError, match="Not all rides were taken: interrupted"):
        call_command("simulate", "--city")


def test_the_promise_of_a_search_follows_the_settings(settings: Any) -> None:
    """A search may take all its attempts, and an offer half of the time in which it can be answered."""
    before = city.promises(1)
    settings.MATCH_MAX_ATTEMPTS *= 2
    assert city.promises(1).search > before.search * 1.5
    settings.MATCH_RESPONSE_TIMEOUT = timedelta(seconds=8)
    assert (before.offer, city.promises(1).offer) == (10, 4)
    assert [city.promises(speed).fare_share for speed in (1, 10, 11)] == [0.05, 0.05, 0.25]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--into", "none.md#here"), "--into none.md#here: .*No such file"),
        (("--url", "https://127.0.0.1:1"), "reach only http addresses"),
        (("--map", "none.osm"), "none.osm cannot be read as a map"),
        (("--moods", "cheats=2"), "--moods The shares of moods are"),
    ],
    ids=["page", "address", "map", "moods"],
)
@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_used_is_said_in_words(arguments: tuple[str, str], complaint: str, settings: Any) -> None:
    """A page without its mark, an address that is not http and a map that is none are refused before any login."""
    settings.DEBUG = True
    with pytest.raises(CommandError, match=complaint):
        call_command("simulate", "--city", *arguments)


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
