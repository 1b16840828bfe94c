"""Every benchmark starts, measures something tiny and ends well."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from nebengjek.settings import BASE_DIR
from tests.browser.chromium import find_browser
from tests.forked import run
from tests.patience import FACTOR

pytestmark = pytest.mark.e2e

LIBRARIES = {"database", "burst", "process", "report", "contenders", "load", "measures", "silent", "tables"}
"""Modules of `bench` that measure nothing by themselves."""

TINY = {
    "books": ("--rides 4 40 --people 5 --tries 2", "match_confirm with 40 rides"),
    "admin": ("--rides 30 --points 2 --long 20", "30 rides, 60 track points"),
    "bridge": ("--users 4 --rounds 3 --bursts 1", "12 notifications, all told"),
    "crowd": ("--users 6 --riding 4 --every 0.5 --seconds 1", "errors: 0"),
    "dispatch": ("--frames 20", "one frame and its answer: stock"),
    "finders": ("--drivers 30 --searches 3 --rate 5 --every 1", "3 of 3 searches reached a driver"),
    "growth": ("--rides 1 --people 1", "rides_ride "),
    "layer": ("--share 0.01", "100 users: stock"),
    "meter": ("--rides 1 --seed 2", "raise a doubt: 0 of"),
    "nearest": ("--drivers 20 40 --searches 2", "on Redis, 40 drivers"),
    "tracks": ("--rides 1 --kind bends --seed 2", "no noise"),
    "quotes": ("--quotes 8 --tariffs 2", "48 kept"),
    "shards": ("--users 4 --rounds 3 --turns 1", "Two shards beside one, into the streams"),
    "workers": ("--rounds 1 --workers 2 --tiny", "| whole rides per second | "),
    "writers": ("--seconds 2 --rate 20", "0 times a database was locked; 0 errors"),
}
"""Of each benchmark: options, and what it must print."""


def measure(name: str, options: str, env: dict[str, str]) -> str:
    """Run a benchmark as the documentation says, and return what it prints."""
    done = run(f"bench.{name}", *options.split(), env=env, timeout=180 * FACTOR)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_measures(name: str, templates: dict[str, str]) -> None:
    """A benchmark starts by its documented command and prints a figure."""
    options, expected = TINY[name]
    assert expected in measure(name, options, templates)


CONTENDERS = {
    "SQLite": [
        "whole rides per second",
        "s until 6 are back",
        "% of a core, idle",
        "connects per second, of people with a current ride",
        "µs of CPU per frame in, 6 connections",
        "ms from press to the other screen at 50 % of these rides, p99.9",
    ],
    "PostgreSQL": [
        "whole rides per second",
        "notifications per second (burst)",
        "ms at 40 a second, p99",
        "ms of CPU per connect, of people with a past ride",
    ],
    "bare ASGI": ["frames in per second"],
    "Channels": ["notifications per second (burst)", "kB per idle connection"],
    "socketio": ["notifications per second (burst)", "connects per second"],
}
"""Of each contender of `python -m bench`: some rows that must have a figure."""


@pytest.mark.parametrize("name", CONTENDERS)
def test_each_contender_is_measured(name: str, tmp_path: Path, templates: dict[str, str]) -> None:
    """One tiny round writes the tables and the plots, and keeps what was written by hand."""
    document = tmp_path / "performance.md"
    document.write_text("# Before\n\n<!-- measured: begin -->\nold\n<!-- measured: end -->\n\n# After\n")
    options = ["--tiny", "--rounds", "1", "--only", name, "--output", str(document)]
    done = run("bench", *options, env=templates, timeout=180 * FACTOR)
    assert done.returncode == 0, done.stdout + done.stderr
    text = document.read_text()
    assert text.startswith("# Before")
    assert text.endswith("# After\n")
    assert "old" not in text
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    rows = {name: figure for name, figure in cells if name}
    for row in CONTENDERS[name]:
        assert rows[row] not in {"-", "0"} or "CPU" in row or row in {"% of a core, idle"}, row
    assert (tmp_path / "performance" / "frames-in-per-second.svg").read_text().startswith("<svg")


@pytest.mark.browser
def test_the_live_map_benchmark_measures(templates: dict[str, str]) -> None:
    """The benchmark of the live map looks at it with a browser."""
    with sync_playwright() as playwright:
        program = find_browser(playwright.chromium.executable_path)
    if program is None:
        pytest.skip("There is no browser.")
    said = measure("live", f"--drivers 9 --seconds 1 --browser {program}", templates)
    assert "9 drivers, 3 rides, 900 points of tracks" in said
    assert "main thread busy" in said


def test_no_benchmark_is_left_out() -> None:
    """Each module of `bench` is run here or used by one that is."""
    modules = {path.stem for path in (BASE_DIR / "bench").glob("[a-z]*.py")}
    assert modules == {*TINY, "live", *LIBRARIES}
