from rides.models import CandidateOutcome
from rides.staff.filters import OutcomeFilter


def test_every_outcome_can_be_chosen() -> None:
    """The filter offers every outcome that a search can record."""
    lookups = OutcomeFilter.lookups(None, None, None)  # type: ignore[arg-type]
    assert [value for value, _ in lookups] == CandidateOutcome.values
