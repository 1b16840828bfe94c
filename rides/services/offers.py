"""Offers of a search: whom it considered, and the drivers who got one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings

from events.outbox import emit
from rides.events import MatchFound
from rides.matching import OfferDecision, consider, free_among
from rides.models import Candidate, Finder, Match
from rides.services.locking import lock_users
from rides.snapshots import match_fields


def offers_make(finder: Finder, now: datetime) -> set[UUID]:
    """Offer the ride to the nearest available drivers, within the caller's transaction; return who got an offer."""
    decisions = consider(finder)
    candidates_record(finder, decisions, now)
    chosen = [decision for decision in decisions if decision.is_offered]
    lock_users([decision.driver_id for decision in chosen])
    free = free_among([decision.driver_id for decision in chosen])  # once more, now that nobody can change it
    for decision in chosen:
        if decision.driver_id in free:
            _offer(finder, decision, now)
    return free


def candidates_record(finder: Finder, decisions: list[OfferDecision], now: datetime) -> None:
    """Keep for support staff whom an attempt considered; the last decision on a driver counts."""
    Candidate.objects.bulk_create(
        [_candidate(finder, decision, now) for decision in decisions],
        update_conflicts=True,
        unique_fields=["finder", "attempt", "driver"],
        update_fields=["distance_km", "position_age_s", "outcome", "considered_at"],
    )


def match_create(finder: Finder, *, driver_id: UUID, expires_at: datetime, now: datetime, **fields: object) -> Match:
    """Create a match between a search and a driver; pick-up and target are those of the search."""
    return Match.objects.create(
        finder=finder,
        driver_id=driver_id,
        passenger_id=finder.passenger_id,
        latitude=finder.latitude,
        longitude=finder.longitude,
        target_latitude=finder.target_latitude,
        target_longitude=finder.target_longitude,
        expires_at=expires_at,
        created_at=now,
        **fields,
    )


def _candidate(finder: Finder, decision: OfferDecision, now: datetime) -> Candidate:
    return Candidate(
        finder=finder,
        attempt=finder.attempts,
        driver_id=decision.driver_id,
        distance_km=decision.distance_km,
        position_age_s=decision.position_age_s,
        outcome=decision.outcome,
        considered_at=now,
    )


def _offer(finder: Finder, decision: OfferDecision, now: datetime) -> None:
    match = match_create(
        finder,
        driver_id=decision.driver_id,
        driver_latitude=decision.point.latitude,
        driver_longitude=decision.point.longitude,
        distance_km=decision.distance_km,
        expires_at=now + settings.MATCH_RESPONSE_TIMEOUT,
        now=now,
    )
    emit(MatchFound(**match_fields(match)))
