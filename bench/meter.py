"""The figures of docs/meter.md: what the meter makes of many rides of the laboratory, against its marks.

    python -m bench.meter [--rides 40] [--seed 1] [--into docs/meter.md]

Printed as Markdown; with `--into` it replaces what stands between the two marks in that page.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import cycle, islice, product
from pathlib import Path

from bench.report import centile
from bench.tracks import KINDS, PHONES, START, Outcome, Phone, drive, noise_of, report, ride
from rides.metering.doubts import doubts
from rides.metering.fixes import Fix, Limits
from rides.metering.meter import measure

PARSER = argparse.ArgumentParser(prog="python -m bench.meter", description="The figures of docs/meter.md.")
PARSER.add_argument("--rides", type=int, default=40, help="rides of each road and phone (%(default)s)")
PARSER.add_argument("--seed", type=int, default=1, help="of all that is random (%(default)s)")
PARSER.add_argument("--into", type=Path, help="the page to write into")

ROADS = [kind for kind in KINDS if kind != "standing"]
OFTEN = ("3-10 m", "3-10 m, bad network", "3-10 m, wrong clock", "3-10 m, no times")
COLUMNS = {
    "3-10 m, 1 or 2 s": OFTEN,
    "with speed": ("3-10 m, speed",),
    "5 s": ("3-10 m, 5 s",),
    "15 s": ("3-10 m, 15 s",),
    "15-20 m": ("15-20 m",),
    "reflections": ("3-10 m, reflections",),
}
"""Of the table by road: what stands above a column, and the phones in it."""
EVERY, SIGMAS, RHOS = (1, 2, 5, 15), (3, 6, 10, 15, 20), (0.0, 0.5, 0.8, 0.95, 0.98)
MARKS = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- end of figures -->)", re.DOTALL)
LIMITS = Limits()


class Doubted:
    """How many honest rides were looked at, and how many of them would be shown to staff."""

    def __init__(self) -> None:
        self.rides = self.doubted = 0

    def count(self, found: int) -> None:
        """Count a ride with so many doubts."""
        self.rides += 1
        self.doubted += bool(found)


def billed(fixes: Sequence[Fix], doubted: Doubted) -> float:
    """Return the metres that a ride is billed for, and count its doubts."""
    measured = measure(fixes, LIMITS, START)
    doubted.count(len(doubts(fixes, measured)))
    return measured.metres


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def error(one: Outcome) -> float:
    """Return by how many percent a ride is billed too long; without noise, against the lines between its places."""
    return 100 * (one.billed / (one.polyline if one.phone == "no noise" else one.driven) - 1)


def by_phone(outcomes: Sequence[Outcome]) -> str:
    """Return how far all roads together are off, by phone."""
    rows = []
    for phone in PHONES:
        errors = [error(one) for one in outcomes if one.phone == phone]
        sizes = [abs(e) for e in errors]
        figures = (statistics.median(sizes), centile(sizes, 99))
        signed = (statistics.median(errors), centile(errors, 1), centile(errors, 99))
        rows.append([phone, *(f"{f:.2f}" for f in figures), *(f"{f:+.2f}" for f in signed)])
    return table(["phone", "median of size", "p99 of size", "median", "p1", "p99"], rows)


def by_road(outcomes: Sequence[Outcome]) -> str:
    """Return the median and the 99th percentile of the error's size, by road and phone."""
    rows = []
    for road in ROADS:
        cells = [road.replace("_", " ")]
        for phones in COLUMNS.values():
            sizes = [abs(error(one)) for one in outcomes if one.kind == road and one.phone in phones]
            cells.append(f"{statistics.median(sizes):.2f} / {centile(sizes, 99):.1f}")
        seldom = [o for o in outcomes if o.kind == road and o.phone == "3-10 m, 15 s"]
        cells.append(f"{statistics.median(100 * (o.polyline / o.driven - 1) for o in seldom):+.1f}")
        rows.append(cells)
    return table(["road", *COLUMNS, "chords of 15 s"], rows)


def by_interval(count: int, seed: int, doubted: Doubted) -> str:
    """Return how far the same rides, reported every second and every 15, are from each other."""
    rows = []
    for road in ROADS:
        apart = []
        for n in range(count):
            rng = random.Random(f"{seed} interval {road} {n}")  # noqa: S311
            course = KINDS[road](rng)
            fixes = report(course, drive(course), Phone(**noise_of(rng, 3, 10)), rng)
            seldom = [*fixes[:-1:15], fixes[-1]]
            apart.append(100 * (billed(seldom, doubted) / billed(fixes, doubted) - 1))
        figures = (statistics.median(apart), centile(apart, 1), centile(apart, 99))
        rows.append([road.replace("_", " "), *(f"{f:+.2f}" for f in figures)])
    return table(["road", "median", "p1", "p99"], rows)


def standing(count: int, seed: int, doubted: Doubted) -> str:
    """Return what an hour on the spot is billed at most."""
    course = KINDS["standing"](random.Random(seed))  # noqa: S311
    moments, rows = drive(course), []
    for sigma in SIGMAS:
        cells = [f"{sigma} m"]
        for accuracy in (True, False):
            metres = []
            for n, (every, rho) in enumerate(islice(cycle(product(EVERY, RHOS)), 2 * count)):
                rng = random.Random(f"{seed} standing {sigma} {accuracy} {n}")  # noqa: S311
                metres.append(billed(report(course, moments, Phone(every, sigma, rho, accuracy), rng), doubted))
            cells.append(f"{max(metres):.3f} m in {len(metres)}")
        rows.append(cells)
    return table(["sigma", "with accuracy", "without"], rows)


def short(count: int, seed: int, doubted: Doubted) -> None:
    """Look at the beginnings of honest rides of every kind."""
    for n in range(count):
        rng = random.Random(f"{seed} short {n}")  # noqa: S311
        course = KINDS[rng.choice(ROADS)](rng)
        fixes = report(course, drive(course), PHONES[rng.choice([*PHONES])](rng), rng)
        billed(fixes[: rng.randint(25, 120)], doubted)


def figures(count: int, seed: int) -> str:
    """Return all figures as Markdown."""
    doubted = Doubted()
    outcomes = []
    for road, phone, n in product(ROADS, PHONES, range(count)):
        outcomes.append(ride(road, phone, random.Random(f"{seed} {road} {phone} {n}")))  # noqa: S311
        doubted.count(outcomes[-1].doubts)
    intervals = by_interval(count, seed, doubted)
    stands = standing(count, seed, doubted)
    short(count * 60, seed, doubted)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return (
        f"Made on {time.strftime('%Y-%m-%d')} at commit {commit.stdout.strip()} on 2 cores, one process, by\n"
        f"`python -m bench.meter --rides {count} --seed {seed} --into docs/meter.md`.\n\n"
        f"Errors in percent, {count} rides of each of {len(ROADS)} roads:\n\n{by_phone(outcomes)}\n"
        f"The same by road: median / p99 of the error's size. The last column is by how much the straight lines\n"
        f"between true places, 15 s apart, are shorter than the road.\n\n{by_road(outcomes)}\n"
        f"The same ride (3 to 10 m) reported every 15 s against every second, in percent:\n\n{intervals}\n"
        f"The most that an hour on the spot is billed, over intervals of 1, 2, 5 and 15 s and noise correlated by 0\n"
        f"to 0.98 a second:\n\n{stands}\n"
        f"Honest rides of all these and {count * 60} short ones that raise a doubt: {doubted.doubted} of "
        f"{doubted.rides}.\n"
    )


def main() -> None:
    """Print the figures, or write them into the page."""
    options = PARSER.parse_args()
    found = figures(options.rides, options.seed)
    if options.into:
        page = options.into.read_text(encoding="utf-8")
        options.into.write_text(MARKS.sub(lambda _: found, page), encoding="utf-8")
    else:
        sys.stdout.write(found)


if __name__ == "__main__":
    main()
