"""Offers that another service has made."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from rides.geo import GeoPoint, distance_km
from rides.matching import OfferDecision, free_among
from rides.models import CandidateOutcome, Finder, FinderStatus, Match
from rides.positions import positions
from rides.services.locking import lock_affairs
from rides.services.offers import candidates_record, match_create
from users.models import Role, User

LONGEST_LIFE = timedelta(minutes=10)
"""How long an offer of another service may hold up a search at most."""


@transaction.atomic
def match_adopt(
    *,
    driver_id: UUID | None = None,
    passenger_id: UUID | None = None,
    match_id: str = "",
    driver_location: GeoPoint | None = None,
    expires_at: datetime | None = None,
    **_: object,
) -> bool:
    """Turn another service's `match.found` into a match that can be confirmed, where it fits; return whether it did.

    It fits when the passenger is looking for a driver and the driver is free, has their beacon on and had no offer of
    this search before. Pick-up and target are those of the search. Any other `match.found` is a notification only and
    changes nothing here. Nothing is emitted, since the bridge delivers the message itself.
    """
    identity = _as_uuid(match_id)
    if identity is None or driver_id is None or passenger_id is None:
        return False
    now = timezone.now()
    ends_at = min(expires_at or now + settings.MATCH_RESPONSE_TIMEOUT, now + LONGEST_LIFE)
    lock_affairs(passenger_id, driver_id)
    finder = Finder.objects.filter(passenger_id=passenger_id, status=FinderStatus.OPEN).first()
    if finder is None or ends_at <= now or not _is_free(driver_id) or _is_known(identity, finder, driver_id):
        return False
    decision = _decision(finder, driver_id, driver_location, now)
    match_create(
        finder,
        pk=identity,
        driver_id=driver_id,
        driver_latitude=decision.point.latitude,
        driver_longitude=decision.point.longitude,
        distance_km=decision.distance_km,
        expires_at=ends_at,
        now=now,
    )
    candidates_record(finder, [decision], now)
    Finder.objects.filter(pk=finder.pk, attempt_ends_at__lt=ends_at).update(attempt_ends_at=ends_at)
    return True


def _decision(finder: Finder, driver_id: UUID, said: GeoPoint | None, now: datetime) -> OfferDecision:
    """Return the other service's decision; the driver is where it says, else where they were last seen."""
    place = positions().last(driver_id)
    point = said or (place.point if place else finder.location)
    return OfferDecision(
        driver_id=driver_id,
        point=point,
        distance_km=distance_km(point, finder.location),
        position_age_s=max(0.0, now.timestamp() - place.received_at) if place else 0.0,
        outcome=CandidateOutcome.OFFERED_BY_A_SERVICE,
    )


def _is_free(driver_id: UUID) -> bool:
    is_driver = User.objects.filter(pk=driver_id, role=Role.DRIVER, is_active=True).exists()
    return is_driver and bool(free_among([driver_id]))


def _is_known(identity: UUID, finder: Finder, driver_id: UUID) -> bool:
    offered_before = Match.objects.filter(finder=finder, driver_id=driver_id).exists()
    return offered_before or Match.objects.filter(pk=identity).exists()


def _as_uuid(text: str) -> UUID | None:
    """Return the id if it is in the canonical form, which is how the clients will repeat it."""
    try:
        identity = UUID(text)
    except ValueError:
        return None
    return identity if str(identity) == text.lower() else None
