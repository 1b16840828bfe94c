import pytest

from simulation.run import Outcome, percentile


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentiles(share: float, value: float) -> None:
    """Percentiles are those of the nearest rank."""
    assert percentile([float(n) for n in range(100, 0, -1)], share) == value
    assert percentile([], share) == 0


def test_all_errors_count() -> None:
    """An outcome with any error is not good."""
    assert not Outcome(completed=3).failed
    assert Outcome(wrong_fares=["x"]).failed
    outcome = Outcome()
    outcome.errors["x"] += 1
    assert outcome.failed
