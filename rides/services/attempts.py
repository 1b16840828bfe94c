"""What an attempt of a search began with, for support staff."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from common.rows import insert_rows
from rides.matching import rings_beyond, search_radius_km
from rides.models import Finder, SearchAttempt

CONFIGURED = (
    "MATCH_MAX_DRIVERS",
    "MATCH_MAX_ATTEMPTS",
    "MATCH_MAX_OPEN_OFFERS",
    "MATCH_RESPONSE_TIMEOUT",
    "OFFER_RECEIPT_TIMEOUT",
    "LOCATION_MAX_AGE",
)
"""The settings that decide who gets an offer; the radius is that of the attempt."""


def attempt_record(finder: Finder, now: datetime, *, look_farther: bool) -> None:
    """Keep what was configured when an attempt began, within the caller's transaction.

    With `look_farther` also how many drivers were too far: it takes a look at a larger area, and nobody asks for it
    where there were drivers enough.
    """
    record = SearchAttempt(
        finder=finder,
        number=finder.attempts,
        begun_at=now,
        radius_km=search_radius_km(finder.attempts),
        configured={name: _plain(getattr(settings, name)) for name in CONFIGURED},
        too_far=rings_beyond(finder) if look_farther else [],
    )
    insert_rows([record])


def _plain(value: int | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value
