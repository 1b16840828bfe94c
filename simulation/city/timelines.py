"""What each part of the system used over the time of a run, and when what happened to it, as plots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from simulation.city.record import Fault, Sample

WIDTH, HEIGHT, FOOT, ROW = 600, 200, 24, 16
POINTS = 150
"""Of a line, at most: a page shall open at once."""

COLOURS = ("#2a6f4e", "#b5651d", "#2b5c9e", "#a3306b", "#6b6b00", "#7a4fb5", "#008080", "#a40000", "#444444", "#c48a00")

Line = list[tuple[float, float]]


def timelines(samples: Sequence[Sample], faults: Sequence[Fault]) -> str:
    """Return the plots of processor and memory as inline SVG, with a mark for each fault; empty without samples."""
    own: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        own[sample.target].append(sample)
    if not any(len(found) > 1 for found in own.values()):
        return ""
    plots = {
        "Processor of each part, in percent of one": {target: _shares(found) for target, found in own.items()},
        "Memory of each part, in MiB": {
            target: [(one.at, one.memory / 2**20) for one in found] for target, found in own.items()
        },
    }
    begin = min(sample.at for sample in samples)
    seconds = max(max(sample.at for sample in samples) - begin, 1.0)
    marks = "".join(_marks(faults, begin, seconds))
    return "".join(f"<h2>{title}</h2>{_plot(title, lines, begin, seconds, marks)}" for title, lines in plots.items())


def _shares(samples: list[Sample]) -> Line:
    """Return the share of a processor between one sample and the next; a process that began anew began with nothing."""
    return [
        (
            after.at,
            100 * max(0.0, after.cpu - (before.cpu if before.pid == after.pid else 0.0)) / (after.at - before.at),
        )
        for before, after in pairwise(samples)
        if after.at > before.at
    ]


def _plot(title: str, lines: dict[str, Line], begin: float, seconds: float, marks: str) -> str:
    lines = {target: _thinned(line) for target, line in sorted(lines.items()) if line}
    top = max(value for line in lines.values() for _, value in line) or 1.0
    height = HEIGHT + FOOT + ROW * len(lines)
    parts = [
        marks,
        *_lines(lines, begin, seconds, top),
        f'<text x="0" y="12">{top:.4g}</text>',
        f'<text x="{WIDTH}" y="{HEIGHT + 16}" text-anchor="end">{seconds:.0f} s</text>',
    ]
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _lines(lines: dict[str, Line], begin: float, seconds: float, top: float) -> Iterator[str]:
    for number, (target, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{(at - begin) / seconds * WIDTH:.1f},{HEIGHT - value / top * HEIGHT:.1f}" for at, value in line
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        mean = sum(value for _, value in line) / len(line)
        label = f"{escape(target)}: {mean:.4g} on average, {max(value for _, value in line):.4g} at most"
        yield f'<text x="0" y="{HEIGHT + FOOT + ROW * (number + 1) - 4}" fill="{colour}">{label}</text>'


def _marks(faults: Sequence[Fault], begin: float, seconds: float) -> Iterator[str]:
    for fault in faults:
        if 0 <= (fault.at - begin) <= seconds:
            x = (fault.at - begin) / seconds * WIDTH
            title = f"{fault.kind} of {fault.target}, {fault.until - fault.at:.1f} s"
            place = f'x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}"'
            yield f'<line {place} stroke="#ddd"><title>{escape(title)}</title></line>'


def _thinned(line: Line) -> Line:
    """Return the means of equal parts of a line that has too many points."""
    size = -(-len(line) // POINTS)
    parts = [line[first : first + size] for first in range(0, len(line), size)]
    return [(part[0][0], sum(value for _, value in part) / len(part)) for part in parts]
