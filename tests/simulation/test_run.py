import pytest

from simulation.run import Outcome, percentile


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentiles(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == value
    assert percentile([], share) == 0


def test_anything_that_went_wrong_counts() -> None:
    assert not Outcome(completed=3).failed
    assert Outcome(wrong_fares=["x"]).failed
    outcome = Outcome()
    outcome.errors["x"] += 1
    assert outcome.failed
