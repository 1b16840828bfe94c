"""Proposals that another service has made."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from rides.geo import GeoPoint, distance_km
from rides.matching import free_among
from rides.models import Candidate, Finder, FinderStatus, Match
from rides.positions import positions
from rides.positions.base import Position
from rides.services.locking import lock_affairs
from users.models import Role, User

LONGEST_LIFE = timedelta(minutes=10)
"""How long a proposal of another service may hold up a search at most."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An offer of another service: what it says that concerns us. Pick-up and target are those of the search."""

    match_id: UUID
    driver_id: UUID
    passenger_id: UUID
    driver_location: GeoPoint | None = None
    expires_at: datetime | None = None


@transaction.atomic
def match_adopt(*, proposal: Proposal) -> bool:
    """Make another service's proposal a match that can be confirmed, where it fits; return whether it did.

    It fits when the passenger is looking for a driver and the driver is free, has their beacon on and was not offered
    this search before. Any other proposal changes nothing: it is no more than the notification that both are sent.
    (Nothing is emitted, since that is on its way already.)
    """
    now = timezone.now()
    expires_at = min(proposal.expires_at or now + settings.MATCH_RESPONSE_TIMEOUT, now + LONGEST_LIFE)
    lock_affairs(proposal.passenger_id, proposal.driver_id)
    finder = Finder.objects.filter(passenger_id=proposal.passenger_id, status=FinderStatus.OPEN).first()
    if finder is None or expires_at <= now or not _is_free(proposal.driver_id) or _is_known(proposal, finder):
        return False
    place = positions().last(proposal.driver_id)
    match = _match_of(proposal, finder, place, created_at=now, expires_at=expires_at)
    match.save(force_insert=True)
    _note_candidate(match, place)
    Finder.objects.filter(pk=finder.pk, attempt_ends_at__lt=expires_at).update(attempt_ends_at=expires_at)
    return True


def _match_of(
    proposal: Proposal, finder: Finder, place: Position | None, *, created_at: datetime, expires_at: datetime
) -> Match:
    """Return the match; the driver is where the service says, else where they were last seen, else at the pick-up."""
    point = proposal.driver_location or (place.point if place else finder.location)
    return Match(
        pk=proposal.match_id,
        finder=finder,
        driver_id=proposal.driver_id,
        passenger_id=proposal.passenger_id,
        latitude=finder.latitude,
        longitude=finder.longitude,
        driver_latitude=point.latitude,
        driver_longitude=point.longitude,
        target_latitude=finder.target_latitude,
        target_longitude=finder.target_longitude,
        distance_km=distance_km(point, finder.location),
        expires_at=expires_at,
        created_at=created_at,
    )


def _note_candidate(match: Match, place: Position | None) -> None:
    """Let support staff see that a service has offered the search to this driver."""
    Candidate.objects.update_or_create(
        finder=match.finder,
        attempt=match.finder.attempts,
        driver_id=match.driver_id,
        defaults={
            "distance_km": match.distance_km,
            "position_age_s": max(0.0, match.created_at.timestamp() - place.received_at) if place else 0.0,
            "outcome": "asked_by_a_service",
            "considered_at": match.created_at,
        },
    )


def _is_free(driver_id: UUID) -> bool:
    is_driver = User.objects.filter(pk=driver_id, role=Role.DRIVER, is_active=True).exists()
    return is_driver and bool(free_among([driver_id]))


def _is_known(proposal: Proposal, finder: Finder) -> bool:
    offered_before = Match.objects.filter(finder=finder, driver_id=proposal.driver_id).exists()
    return offered_before or Match.objects.filter(pk=proposal.match_id).exists()
