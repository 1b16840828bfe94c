"""The plots of what the parts of the system used."""

from __future__ import annotations

import re

from simulation.city.record import Fault, Sample
from simulation.city.timelines import POINTS, timelines


def sample(at: float, cpu: float, *, pid: int = 1, target: str = "web-1") -> Sample:
    return Sample(at, target, pid, cpu, 50 * 2**20)


def test_processor_and_memory_are_drawn() -> None:
    """A line for each part, with its mean and peak, and a mark for each fault within the time."""
    samples = [
        sample(0, 0),
        sample(2, 1),
        sample(4, 0.5, pid=2),
        sample(2, 0, target="<b>"),
        sample(4, 2, target="<b>"),
    ]
    page = timelines(samples, [Fault(1, 3, "web-1", "kill"), Fault(90, 91, "web-1", "kill")])
    assert page.count("<svg") == 2
    assert page.count("<polyline") == 4
    assert "web-1: 37.5 on average, 50 at most" in page  # the second process began with nothing
    assert "web-1: 50 on average, 50 at most" in page
    assert "&lt;b&gt;: 100 on average" in page
    assert page.count("kill of web-1, 2.0 s") == 2  # in both plots, and not what came later
    assert page.count("<line") == 2


def test_long_runs_are_thinned_out() -> None:
    """However long a run was, its lines have few points."""
    page = timelines([sample(n, n * 0.5) for n in range(5000)], [])
    longest = max(len(points.split()) for points in re.findall(r'points="([^"]*)"', page))
    assert POINTS / 2 < longest <= POINTS
    assert "on average" in page


def test_without_samples_there_is_nothing() -> None:
    """A run that nobody watched has no plots, and neither has one that was over at once."""
    assert timelines([], []) == ""
    assert timelines([sample(0, 0)], []) == ""
