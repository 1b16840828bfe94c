"""The report of a run: lines of text, and a page that needs nothing beside itself."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape

from simulation.city.figures import SHARES, Figure, figures, outcomes, usage
from simulation.city.run import CityResult
from simulation.city.timelines import timelines
from simulation.run import percentile

TABLES = 6
"""Tables that are named, those with the most rows."""

MISHAPS = 3
"""Kinds of mishaps that are named, those that happened most."""

NUMBERS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+(\.\d+)?")

BARS = 30
WIDTH, HEIGHT, FOOT = 600, 160, 24

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>A run of the city</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
svg {{ max-width: 100%; height: auto; }} rect {{ fill: #2a6f4e; }} text {{ font-size: 12px; }}
.wrong {{ color: #a40000; }} .B {{ fill: #b5651d; }}
table {{ border-collapse: collapse; }} th, td {{ border: 1px solid #999; padding: .2rem .5rem; text-align: left; }}
</style>
</head>
<body>
<h1>A run of the city</h1>
<p>{command}</p>
<p>{conditions}</p>
{body}
</body>
</html>
"""


def text_report(result: CityResult) -> Iterator[str]:
    """Yield the report, a line each."""
    counts = ", ".join(f"{count} {status}" for status, count in sorted(outcomes(result.facts).items()))
    yield f"Rides: {counts or 'none'}."
    frames = sum(len(seen) for seen in result.record.frames.values())
    people = len(result.record.people)
    yield f"{people} people, {frames} frames, {result.cuts} network cuts, {result.naps} naps, {result.seconds:.1f} s."
    lies = [ride for ride in result.facts.rides if ride.cheated]
    if lies:
        shown, all_shown = (sum(bool(ride.flags) for ride in rides) for rides in (lies, result.facts.rides))
        yield f"{len(lies)} rides of phones that told lies: staff are shown {shown}, and {all_shown - shown} others."
    faults = Counter(f"{fault.kind} of {fault.target.partition('-')[0]}" for fault in result.facts.faults or ())
    if faults:
        yield f"Faults: {', '.join(f'{count} {fault}' for fault, count in sorted(faults.items()))}."
    for figure in figures(result.record, result.facts):
        yield str(figure)
    yield from map(str, usage(result.facts.samples))
    if result.rows and result.facts.rides:
        total, rides = sum(result.rows.values()), len(result.facts.rides)
        most = sorted(result.rows.items(), key=lambda row: -row[1])[:TABLES]
        tables = ", ".join(f"{count / rides:.1f} {table}" for table, count in most)
        yield f"Rows per ride: {total / rides:.1f} ({tables}), those of people and logins among them."
    if result.late:
        shares = ", ".join(f"p{share * 100:g} {percentile(result.late, share) * 1000:.0f}" for share in SHARES)
        yield f"The city itself, one process for all phones, was late by: {shares} ms."
    why = ", ".join(f"{count} by {why}" for why, count in sorted(result.resets.items()))
    yield f"{sum(result.resets.values())} fresh states in place of what was missed{f' ({why})' if why else ''}."
    why = ", ".join(
        f"{count} x {text}" for text, count in Counter(map(_anonymous, result.mishaps)).most_common(MISHAPS)
    )
    yield f"{len(result.mishaps)} mishaps that people had to begin again after{f': {why}' if why else ''}."
    yield f"{len(result.violations)} violations."


def _anonymous(mishap: str) -> str:
    """Return what happened, whoever it happened to."""
    return NUMBERS.sub("…", mishap.partition(": ")[2] or mishap)


def markdown_report(result: CityResult, *, command: str, conditions: str) -> str:
    """Return the report for a page of the documentation: all figures in a table, each with its meaning."""
    found = [figure for figure in figures(result.record, result.facts) if figure.values]
    names = {str(figure) for figure in found}
    lines = [line for line in text_report(result) if line not in names and "(0 times)" not in line]
    heads = " | ".join(f"p{share * 100:g}" for share in SHARES)
    rows = [
        f"| {figure.name} | {cells} {figure.unit} | {len(figure.values)} | {figure.meaning} |"
        for figure in found
        for cells in (f" {figure.unit} | ".join(f"{percentile(figure.values, share):.4g}" for share in SHARES),)
    ]
    head = f"`{command}`\n\n{conditions}\n"
    table = [f"| figure | {heads} | times | meaning |", "|---" * (len(SHARES) + 3) + "|", *rows]
    return "\n".join([head, *(f"- {line}" for line in lines), "", *table, ""])


def put_between_marks(page: str, mark: str, text: str) -> str:
    """Return a page with a text between `<!-- MARK -->` and `<!-- end of MARK -->`. Raises `ValueError`."""
    before, begin, rest = page.partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- end of {mark} -->")
    if not begin or not end:
        raise ValueError(f"There is no place for {mark}: <!-- {mark} --> and <!-- end of {mark} -->, each in a line.")
    return f"{before}{begin}{text}{end}{after}"


def html_report(result: CityResult, *, command: str, conditions: str) -> str:
    """Return the report as a page, with a histogram of each figure."""
    parts = [f"<p>{escape(line)}</p>" for line in text_report(result)]
    if result.violations:
        items = "".join(f"<li>{escape(str(violation))}</li>" for violation in result.violations)
        parts.append(f'<h2 class="wrong">What was broken</h2><ul>{items}</ul>')
    for figure in figures(result.record, result.facts):
        parts.append(f"<h2>{escape(figure.name)}</h2><p>{escape(figure.meaning)}</p>{histogram(figure)}")
    parts.append(timelines(result.facts.samples, result.facts.faults or ()))
    return PAGE.format(command=escape(command), conditions=escape(conditions), body="\n".join(parts))


def histogram(figure: Figure) -> str:
    """Return the values of a figure as an inline SVG: how many lie in each of `BARS` equal parts of their range."""
    if not figure.values:
        return "<p>There were none.</p>"
    low, high = min(figure.values), max(figure.values)
    counts = _counts(figure.values, low, high)
    width, top = WIDTH / BARS, max(counts)
    bars = "".join(
        f'<rect x="{number * width:.1f}" y="{HEIGHT - height:.1f}" width="{width - 1:.1f}" height="{height:.1f}">'
        f"<title>{count}</title></rect>"
        for number, count in enumerate(counts)
        for height in (count / top * HEIGHT,)
    )
    label = f"{figure.name}: {len(figure.values)} values from {low:.4g} to {high:.4g} {figure.unit}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + FOOT}" role="img" aria-label="{escape(label)}">{bars}'
        f'<text x="0" y="{HEIGHT + 16}">{low:.4g} {escape(figure.unit)}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 16}" text-anchor="end">{high:.4g} {escape(figure.unit)}</text></svg>'
    )


def _counts(values: Sequence[float], low: float, high: float) -> list[int]:
    counts = [0] * BARS
    for value in values:
        share = (value - low) / (high - low) if high > low else 0.0
        counts[min(BARS - 1, math.floor(share * BARS))] += 1
    return counts
