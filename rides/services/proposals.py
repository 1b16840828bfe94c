"""Offers that another service has made."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from common import clock
from rides.eta import eta_seconds
from rides.geo import GeoPoint, distance_km
from rides.matching import OfferDecision, free_among
from rides.models import CandidateOutcome, Finder, FinderStatus, Match
from rides.positions import positions
from rides.push.base import Wake
from rides.push.sender import wake_up
from rides.services.locking import lock_affairs
from rides.services.offers import candidates_record, match_of
from users.models import Role, User
from users.selectors import blocked_among

LONGEST_LIFE = timedelta(minutes=10)
"""How long an offer of another service may hold up a search at most."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An offer of another service: what it says that concerns us. Pick-up and target are those of the search."""

    match_id: UUID
    driver_id: UUID
    passenger_id: UUID
    driver_location: GeoPoint | None = None
    expires_at: datetime | None = None


@transaction.atomic
def match_adopt(*, proposal: Proposal) -> bool:
    """Turn another service's offer into a match that can be confirmed, where it fits; return whether it did.

    It fits when the passenger is looking for a driver and the driver is free, has their beacon on and had no offer of
    this search before. Any other is a notification only and changes nothing here. Nothing is emitted, since the bridge
    delivers the message itself.
    """
    now = clock.now()
    expires_at = min(proposal.expires_at or now + settings.MATCH_RESPONSE_TIMEOUT, now + LONGEST_LIFE)
    lock_affairs(proposal.passenger_id, proposal.driver_id)
    finder = Finder.objects.filter(passenger_id=proposal.passenger_id, status=FinderStatus.OPEN).first()
    if finder is None or expires_at <= now or _is_known(proposal, finder):
        return False
    if not _is_free(proposal.driver_id, proposal.passenger_id):
        return False
    decision = _decision(proposal, finder, now)
    [eta] = eta_seconds([decision.point], finder.location)
    match = match_of(finder, decision, eta_s=eta, pk=proposal.match_id, expires_at=expires_at, now=now)
    match.save(force_insert=True)
    wake_up(proposal.driver_id, wake=Wake("match_proposal", expires_at), only_away=True)
    candidates_record(finder, [decision], now)
    Finder.objects.filter(pk=finder.pk, attempt_ends_at__lt=expires_at).update(attempt_ends_at=expires_at)
    return True


def _decision(proposal: Proposal, finder: Finder, now: datetime) -> OfferDecision:
    """Return the service's decision. The driver is where it says, else where last seen, else at the pick-up."""
    place = positions().last(proposal.driver_id)
    point = proposal.driver_location or (place.point if place else finder.location)
    return OfferDecision(
        driver_id=proposal.driver_id,
        point=point,
        distance_km=distance_km(point, finder.location),
        position_age_s=max(0.0, now.timestamp() - place.made_at) if place else 0.0,
        outcome=CandidateOutcome.OFFERED_BY_A_SERVICE,
    )


def _is_free(driver_id: UUID, passenger_id: UUID) -> bool:
    is_driver = User.objects.filter(pk=driver_id, role=Role.DRIVER, is_active=True).exists()
    return is_driver and bool(free_among([driver_id])) and not blocked_among(passenger_id, [driver_id])


def _is_known(proposal: Proposal, finder: Finder) -> bool:
    offered_before = Match.objects.filter(finder=finder, driver_id=proposal.driver_id).exists()
    return offered_before or Match.objects.filter(pk=proposal.match_id).exists()
