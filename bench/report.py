"""How benchmarks say what they found."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def centile(values: Sequence[float], percent: float) -> float:
    """Return the value that this share of the values does not exceed."""
    return (
        statistics.quantiles(values, n=1000, method="inclusive")[round(percent * 10) - 1]
        if len(values) > 1
        else values[0]
    )
