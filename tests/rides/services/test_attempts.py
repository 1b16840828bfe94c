"""What an attempt began with is kept as it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rides.models import SearchAttempt
from rides.services.finders import finder_update
from tests.cast import BLOK_M, MONAS, north_of, stand_by
from users.models import User


def test_the_configuration_of_an_attempt_is_kept(putri: User, joko: User, settings: Any) -> None:
    """Support asks later, when it may have changed; drivers too far are counted where nobody was near."""
    settings.MATCH_MAX_DRIVERS = 4
    settings.OFFER_RECEIPT_TIMEOUT = timedelta(seconds=7)
    stand_by(joko, north_of(MONAS, 9000))
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    settings.MATCH_MAX_DRIVERS = 1
    attempt = SearchAttempt.objects.get()
    assert (attempt.number, attempt.radius_km) == (1, 5)
    assert attempt.configured["MATCH_MAX_DRIVERS"] == 4
    assert attempt.configured["OFFER_RECEIPT_TIMEOUT"] == 7
    assert sum(ring["drivers"] if isinstance(ring, dict) else ring[-1] for ring in attempt.too_far) == 1
