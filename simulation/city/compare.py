"""Two policies side by side: what runs of the city with the same seeds came to, and how far that differs.

A file holds the runs of one policy, a line of JSON each. What is compared are runs of the same seed, so the difference
of each pair is that of the policies and of chance; its mean over the seeds is shown with a 95 % interval (Student's t).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from statistics import fmean, stdev

import msgspec

from simulation.city.figures import figures, outcomes
from simulation.city.record import Record, ref_of
from simulation.city.run import CityResult
from simulation.run import percentile

CONFIDENCE = 0.95
PICK_UP, WAIT = "pick-up time", "wait for a driver"


class SavedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as it is kept; `matching` are the settings of the command, which are to be those of the server."""

    seed: int
    town: dict[str, float]
    """What must be alike for runs to be compared: drivers, passengers, rides, speed and the like."""
    matching: dict[str, str]
    conditions: str
    seconds: float
    rides: dict[str, int]
    """How many ended in which status."""
    no_driver: int
    """Searches that ended without a driver."""
    violations: int
    figures: dict[str, list[float]]


class Measure(msgspec.Struct, frozen=True):
    """A number that a run comes to."""

    name: str
    unit: str
    of: Callable[[SavedRun], float]


class Row(msgspec.Struct, frozen=True):
    """A measure of both policies, by seed."""

    measure: Measure
    a: list[float]
    b: list[float]

    @property
    def differences(self) -> list[float]:
        """By how much B is above A, by seed."""
        return [b - a for a, b in zip(self.a, self.b, strict=True)]

    @property
    def share(self) -> float:
        """The mean difference as a share of A's mean; not a number where that is 0."""
        return fmean(self.differences) / fmean(self.a) if fmean(self.a) else math.nan

    def interval(self) -> tuple[float, float] | None:
        """Return where the mean difference lies with a confidence of 95 %; None where there is one seed only."""
        from scipy.special import stdtrit  # here: it takes half a second

        count = len(self.a)
        if count < 2:
            return None
        reach = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * stdev(self.differences) / math.sqrt(count)
        return fmean(self.differences) - reach, fmean(self.differences) + reach


class Comparison(msgspec.Struct, frozen=True):
    """Two policies by the seeds that both have run."""

    names: tuple[str, str]
    seeds: list[int]
    conditions: list[str]
    rows: list[Row]


def _mean(name: str) -> Callable[[SavedRun], float]:
    return lambda run: fmean(run.figures.get(name) or [math.nan])


def _p95(name: str) -> Callable[[SavedRun], float]:
    return lambda run: percentile(run.figures.get(name, []), 0.95)


def _share(run: SavedRun) -> float:
    return 100 * run.rides.get("COMPLETED", 0) / (sum(run.rides.values()) or math.nan)


MEASURES = (
    Measure("pick-up time, mean", "s", _mean(PICK_UP)),
    Measure("pick-up time, p95", "s", _p95(PICK_UP)),
    Measure("wait for a driver, mean", "s", _mean(WAIT)),
    Measure("wait for a driver, p95", "s", _p95(WAIT)),
    Measure("rides completed", "", lambda run: run.rides.get("COMPLETED", 0)),
    Measure("of the rides booked", "%", _share),
    Measure("rides completed per minute", "", lambda run: 60 * run.rides.get("COMPLETED", 0) / run.seconds),
    Measure("searches without a driver", "", lambda run: run.no_driver),
    Measure("promises broken", "", lambda run: run.violations),
)


def saved(
    result: CityResult, *, seed: int, town: dict[str, float], matching: dict[str, str], conditions: str
) -> SavedRun:
    """Return what is kept of a run."""
    return SavedRun(
        seed=seed,
        town=town,
        matching=matching,
        conditions=conditions,
        seconds=result.seconds,
        rides=dict(sorted(outcomes(result.facts).items())),
        no_driver=_no_driver(result.record),
        violations=len(result.violations),
        figures={
            **{figure.name: figure.values for figure in figures(result.record, result.facts)},
            PICK_UP: list(_pickups(result.record)),
            WAIT: list(_waits(result.record)),
        },
    )


def _no_driver(record: Record) -> int:
    told = (seen for name in record.people for seen in record.told(name) if seen.kind == "finder_update")
    return sum(seen.data.get("reason") == "no_driver" for seen in told)


def _waits(record: Record) -> Iterator[float]:
    """Yield how long passengers searched, those times included that brought nobody; who gave up has not waited."""
    for name in record.people:
        begun: float | None = None
        for seen in record.frames[name]:
            if seen.kind == "finder_update" and not seen.is_told:
                begun = (begun or seen.at) if seen.data["is_active"] else None
            elif seen.kind == "ride_pickup" and begun is not None:
                yield seen.at - begun
                begun = None


def _pickups(record: Record) -> Iterator[float]:
    """Yield how long drivers took from a ride to its start."""
    for name, person in record.people.items():
        begun: dict[str, float] = {}
        for seen in record.told(name) if person.is_driver else ():
            if seen.kind == "ride_pickup":
                begun[ref_of(seen.data)] = seen.at
            elif seen.kind == "ride_start" and (at := begun.pop(ref_of(seen.data), None)) is not None:
                yield seen.at - at


def keep(run: SavedRun, file: Path) -> None:
    """Add a run to those of its policy."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as end:
        end.write(msgspec.json.encode(run) + b"\n")


def load(file: Path) -> dict[int, SavedRun]:
    """Return the runs of a policy by seed; the last one of each counts.

    Raises `OSError` and `ValueError` for a file that has none.
    """
    try:
        runs = msgspec.json.decode(b"[" + b",".join(file.read_bytes().splitlines()) + b"]", type=list[SavedRun])
    except msgspec.MsgspecError as exc:
        raise ValueError(f"{file} has no runs of a city: {exc}") from exc
    if not runs:
        raise ValueError(f"{file} has no runs of a city.")
    return {run.seed: run for run in runs}


def compare(first: Path, second: Path) -> Comparison:
    """Compare the runs of two files by the seeds that both have.

    Raises `OSError`, and `ValueError` where there is no such seed or the towns differ.
    """
    a, b = load(first), load(second)
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        raise ValueError(f"{first} and {second} have no seed in common.")
    for seed in seeds:
        if a[seed].town != b[seed].town:
            raise ValueError(f"The towns of seed {seed} differ: {a[seed].town} and {b[seed].town}.")
    rows = [Row(one, [one.of(a[seed]) for seed in seeds], [one.of(b[seed]) for seed in seeds]) for one in MEASURES]
    return Comparison(
        _names(first, second, a[seeds[0]], b[seeds[0]]), seeds, _conditions(a[seeds[0]], b[seeds[0]]), rows
    )


def _names(first: Path, second: Path, a: SavedRun, b: SavedRun) -> tuple[str, str]:
    """Return the names of the files, with the settings in which the policies differ."""
    differ = [
        name for name in sorted(a.matching.keys() | b.matching.keys()) if a.matching.get(name) != b.matching.get(name)
    ]

    def name(file: Path, run: SavedRun) -> str:
        own = ", ".join(f"{key}={run.matching.get(key, '')}" for key in differ)
        return f"{file.stem} ({own})" if own else file.stem

    return name(first, a), name(second, b)


def _conditions(a: SavedRun, b: SavedRun) -> list[str]:
    town = ", ".join(f"{name} {value:g}" for name, value in a.town.items())
    alike = ", ".join(f"{name}={value}" for name, value in sorted(a.matching.items()) if b.matching.get(name) == value)
    return [f"The town: {town}.", f"Alike: {alike}.", f"A: {a.conditions}", f"B: {b.conditions}"]


HEAD = ("", "A: mean (from to)", "B: mean (from to)", "B - A: mean (95 %)", "B - A in %")


def cells(row: Row) -> tuple[str, ...]:
    """Return what a table says of a measure: the mean over the seeds, and from the least to the most of them."""
    unit = f", {row.measure.unit}" if row.measure.unit else ""
    interval = row.interval()
    reach = f" ({interval[0]:+.2f} to {interval[1]:+.2f})" if interval else " (one seed)"
    share = "" if math.isnan(row.share) else f"{100 * row.share:+.1f}"
    return (row.measure.name + unit, _spread(row.a), _spread(row.b), f"{fmean(row.differences):+.2f}{reach}", share)


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def markdown(made: Comparison) -> Iterator[str]:
    """Yield the comparison as lines of Markdown."""
    yield f"A is {made.names[0]}, B is {made.names[1]}. {_seeds(made)}"
    yield ""
    yield f"| {' | '.join(HEAD)} |"
    yield f"|{' --- |' * len(HEAD)}"
    for row in made.rows:
        yield f"| {' | '.join(cells(row))} |"
    yield ""
    for line in made.conditions:
        yield f"- {line}"


def html(made: Comparison) -> str:
    """Return the comparison as the body of a page, with a bar for each seed's pick-up time."""
    head = "".join(f"<th>{escape(text)}</th>" for text in HEAD)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in cells(row))}</tr>" for row in made.rows)
    lines = "".join(f"<li>{escape(line)}</li>" for line in made.conditions)
    names = f"<p>A is {escape(made.names[0])}, B is {escape(made.names[1])}. {_seeds(made)}</p>"
    return f"{names}<table><tr>{head}</tr>{body}</table>{_bars(made.rows[0], made.seeds)}<ul>{lines}</ul>"


def _seeds(made: Comparison) -> str:
    return f"Seeds: {', '.join(map(str, made.seeds))}."


BAR, GAP, WIDTH = 14, 10, 600


def _bars(row: Row, seeds: Sequence[int]) -> str:
    """Return a measure of both policies by seed, as an inline SVG."""
    most = max((value for value in (*row.a, *row.b) if not math.isnan(value)), default=0.0) or 1.0
    parts = []
    for number, (seed, *pair) in enumerate(zip(seeds, row.a, row.b, strict=True)):
        top = number * (2 * BAR + GAP)
        parts.append(f'<text x="0" y="{top + BAR + 4}">{seed}</text>')
        for place, (name, value) in enumerate(zip("AB", pair, strict=True)):
            width = 0.0 if math.isnan(value) else value / most * (WIDTH - 130)
            parts.append(
                f'<rect class="{name}" x="40" y="{top + place * BAR}" width="{width:.1f}" height="{BAR - 2}"></rect>'
                f'<text x="{46 + width:.1f}" y="{top + place * BAR + 10}">{name} {value:.2f}</text>'
            )
    height = len(seeds) * (2 * BAR + GAP)
    label = escape(f"{row.measure.name} in {row.measure.unit}, by seed")
    return f'<h2>{label}</h2><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
