"""How much more several workers do: `serve --workers 1, 2, 4` in turn, on PostgreSQL, Valkey and NATS.

    python -m bench.workers [--rounds 3] [--workers 1 2 4] [--tiny]

Workers, servers and the load generator share the machine, so that what is gained ends with its cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.contenders import distributed
from bench.measures import QUICK, TINY, Figures, Size, measure
from bench.report import say
from bench.tables import number, spread
from common.loops import run

PARTS = ("connects", "inbound", "burst", "rides")
FIGURES = ("connects per second", "frames in per second", "notifications per second (burst)", "whole rides per second")


def figures_of(workers: int, size: Size) -> Figures:
    """Measure so many workers, started for it."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        distributed(Path(folder), size.people, workers) as system,
    ):
        return run(measure(system, size, lambda _: None, PARTS.__contains__))


def main(arguments: Sequence[str]) -> None:
    """Measure each number of workers in turn, and print the medians and what they are of the first."""
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description="How much more several workers do.")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="(default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="hardly anything, to see that it works")
    options = parser.parse_args(arguments)
    found: dict[int, dict[str, list[float]]] = {count: defaultdict(list) for count in options.workers}
    for _ in range(options.rounds):
        for count in options.workers:
            for name, value in figures_of(count, TINY if options.tiny else QUICK).items():
                found[count][name].append(value)
    say(f"| workers | {' | '.join(map(str, options.workers))} |")
    say("| --- |" + " --- |" * len(options.workers))
    for figure in FIGURES:
        first = median(found[options.workers[0]][figure])
        cells = [f"{spread(of[figure])}, x{number(median(of[figure]) / first)}" for of in found.values()]
        say(f"| {figure} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
