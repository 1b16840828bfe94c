"""Everything that `docs/performance.md` says of the project and its peers, measured in turn, in one run.

    python -m bench [--rounds 5] [--only NAME …] [--rows NAME …] [--output docs/performance.md] [--quick]

Each round starts every contender once, one after the other (A B C A B C), so that whatever else the machine does hits
all of them; the tables have the median of the rounds and, in brackets, the least and the most. A first round that is
not counted warms the machine. Where `GO_PEER` names a binary, the Go peer takes part.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench import nearest, tables
from bench.contenders import Contender, contenders
from bench.measures import QUICK, TINY, Figures, Size, measure
from common.loops import run
from nebengjek.settings import BASE_DIR

DRIVERS = (1_000, 10_000, 100_000)
ROWS = ("memory", "connects", "inbound", "burst", "pace", "idle", "crowd", "rides", "ridden", "storm")
STEPS = 7
"""About how many things are measured of a contender, for the progress bar; after one round it knows."""


def measure_one(contender: Contender, size: Size, rows: Sequence[str], progress: tqdm[Any]) -> Figures:
    """Start a contender in an empty folder, measure it, and stop it."""

    def step(name: str) -> None:
        progress.set_description(f"{contender.name}: {name}")
        progress.update()

    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        contender.start(Path(folder), size.people) as running,
    ):
        return run(measure(running, size, step, lambda name: not rows or any(part in name for part in rows)))


def main(arguments: Sequence[str]) -> None:
    """Run the rounds, and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the project and its peers.")
    parser.add_argument("--rounds", type=int, default=5, help="that count (%(default)s)")
    parser.add_argument("--only", nargs="*", default=[], help="contenders whose name contains one of these")
    parser.add_argument("--rows", nargs="*", default=[], help=f"only what contains one of these: {', '.join(ROWS)}")
    parser.add_argument("--output", type=Path, default=BASE_DIR / "docs" / "performance.md", help="%(default)s")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="a smaller crowd, for shorter")
    amount.add_argument("--tiny", action="store_true", help="hardly anything, to see that it works")
    options = parser.parse_args(arguments)
    size = TINY if options.tiny else QUICK if options.quick else Size()
    chosen = [one for one in contenders() if not options.only or any(part in one.name for part in options.only)]
    warm_up = 0 if options.tiny else 1
    found: dict[str, dict[str, list[float]]] = {one.name: defaultdict(list) for one in chosen}
    searches = nearest.measure(*((DRIVERS[:1], 2) if options.tiny else (DRIVERS, 30)))
    total = (options.rounds + warm_up) * len(chosen) * STEPS
    progress: tqdm[Any]
    with tqdm(total=total, unit="measure", file=sys.stderr) as progress:
        for number in range(options.rounds + warm_up):
            for contender in chosen:
                figures = measure_one(contender, size, options.rows, progress)
                for name, value in figures.items() if number >= warm_up else ():
                    found[contender.name][name].append(value)
                tables.write(options.output, found, searches, max(1, number + 1 - warm_up))
            progress.total = progress.n // (number + 1) * (options.rounds + warm_up)


if __name__ == "__main__":
    main(sys.argv[1:])
