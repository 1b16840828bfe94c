import pytest

from users.models import Suspicion
from users.tallies import tallies, tally_add

pytestmark = pytest.mark.django_db


def test_each_kind_is_counted() -> None:
    """A kind that has not happened is zero."""
    tally_add(Suspicion.REFRESH_REUSED)
    tally_add(Suspicion.REFRESH_REUSED)
    assert tallies() == dict.fromkeys(Suspicion, 0) | {Suspicion.REFRESH_REUSED: 2}
