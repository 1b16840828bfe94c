from rides.models import CandidateOutcome
from rides.staff.fates import Fate, in_words


def test_every_outcome_has_words() -> None:
    """Of one driver and of several: a new outcome must not break the page that explains a search."""
    for what in (*CandidateOutcome, *Fate):
        assert in_words(what), what
        assert in_words(what, 2), what
