"""The tables and plots of `docs/performance.md`, between its two marks."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from nebengjek.settings import BASE_DIR

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

Found = Mapping[str, Mapping[str, Sequence[float]]]
"""Contender -> figure -> one value a round."""

PLOTTED = ("frames in per second", "notifications per second (burst)", "connects per second", "whole rides per second")

BAR, GAP, LEFT, WIDTH = 22, 8, 300, 420


def write(path: Path, found: Found, searches: Mapping[str, float], rounds: int) -> None:
    """Replace what stands between the marks of a document; without marks it is appended. Plots go beside it."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2]
    parts = [_conditions(rounds), _table(found), _plots(path, found), _searches(searches)]
    text = "\n\n".join(part for part in parts if part)
    path.write_text(
        f"{before.rstrip()}\n\n{BEGIN}\n{text}\n{END}\n{after.lstrip() and chr(10) + after.lstrip()}".lstrip()
    )


def number(value: float) -> str:
    """Return a figure with three digits that mean something."""
    if value != value:  # noqa: PLR0124  # NaN
        return "-"
    if abs(value) >= 1000:
        return f"{round(value, -2 if value < 10_000 else -3):,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """Return the median of the rounds, with the least and the most in brackets."""
    if not values:
        return "-"
    middle = number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


def _conditions(rounds: int) -> str:
    command = ["git", "log", "-1", "--format=%h"]
    done = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    return (
        f"`make bench`, {datetime.now(UTC):%Y-%m-%d}, commit {done.stdout.strip() or 'unknown'}; {machine}, Python"
        f" {platform.python_version()}. The servers share the machine with the load generator, whose share of a core is"
        f" in the table. Medians of {rounds} rounds (least to most), contenders in turn, one web process each."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _table(found: Found) -> str:
    names = list(found)
    figures = list(dict.fromkeys(figure for values in found.values() for figure in values))
    rows = [f"| | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    rows += [f"| {one} | {' | '.join(spread(found[name].get(one, ())) for name in names)} |" for one in figures]
    return "\n".join(rows)


def _searches(searches: Mapping[str, float]) -> str:
    rows = [
        "| a search for drivers, who of them gets an offer (`python -m bench.nearest`) | ms of CPU |",
        "| --- | --- |",
    ]
    return "\n".join([*rows, *(f"| {what} drivers | {number(value)} |" for what, value in searches.items())])


def _plots(path: Path, found: Found) -> str:
    folder = path.parent / path.stem
    links = []
    for figure in PLOTTED:
        bars = {name: statistics.median(values[figure]) for name, values in found.items() if values.get(figure)}
        if bars:
            folder.mkdir(exist_ok=True)
            file = folder / f"{figure.replace(' ', '-').replace('(', '').replace(')', '')}.svg"
            file.write_text(plot(figure, bars), encoding="utf-8")
            links.append(f"![{figure}]({path.stem}/{file.name})")
    return "\n".join(links)


def plot(title: str, bars: Mapping[str, float]) -> str:
    """Return a bar chart as SVG; the title says in words what it shows, for those who cannot see it."""
    most = max(bars.values()) or 1.0
    height = 40 + len(bars) * (BAR + GAP)
    said = "; ".join(f"{name}: {number(value)}" for name, value in bars.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 100}" height="{height}" role="img"'
        f' font-family="sans-serif" font-size="13"><title>{escape(f"{title}: {said}")}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="8" y="22" font-weight="bold">{escape(title)}</text>'
    ]
    for n, (name, value) in enumerate(bars.items()):
        top = 34 + n * (BAR + GAP)
        middle, width = top + BAR * 0.7, max(1, round(WIDTH * value / most))
        parts.append(
            f'<text x="8" y="{middle:.0f}">{escape(name)}</text>'
            f'<rect x="{LEFT}" y="{top}" width="{width}" height="{BAR}" fill="#1f6f5c"/>'
            f'<text x="{LEFT + width + 6}" y="{middle:.0f}">{number(value)}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])
