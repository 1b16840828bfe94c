"""Proposals that another service has made."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from rides.geo import GeoPoint, distance_km
from rides.matching import free_among
from rides.models import Candidate, Finder, FinderStatus, Match
from rides.positions import positions
from rides.services.locking import lock_affairs
from users.models import Role, User

LONGEST_LIFE = timedelta(minutes=10)
"""How long a proposal of another service may hold up a search at most."""


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
    """Make another service's proposal a match that can be confirmed, where it fits; return whether it did.

    It fits when the passenger is looking for a driver and the driver is free, has his beacon on and was not asked in
    this search before. Pick-up and target are those of the search. Any other proposal changes nothing: it is no more
    than the notification that both are sent. (Nothing is emitted, since that is on its way already.)
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
    place = positions().last(driver_id)
    point = driver_location or (place.point if place else finder.location)
    distance = distance_km(point, finder.location)
    Match.objects.create(
        pk=identity,
        finder=finder,
        driver_id=driver_id,
        passenger_id=passenger_id,
        latitude=finder.latitude,
        longitude=finder.longitude,
        driver_latitude=point.latitude,
        driver_longitude=point.longitude,
        target_latitude=finder.target_latitude,
        target_longitude=finder.target_longitude,
        distance_km=distance,
        expires_at=ends_at,
        created_at=now,
    )
    age = max(0.0, now.timestamp() - place.received_at) if place else 0.0
    Candidate.objects.update_or_create(
        finder=finder,
        attempt=finder.attempts,
        driver_id=driver_id,
        defaults={
            "distance_km": distance,
            "position_age_s": age,
            "outcome": "asked_by_a_service",
            "considered_at": now,
        },
    )
    Finder.objects.filter(pk=finder.pk, attempt_ends_at__lt=ends_at).update(attempt_ends_at=ends_at)
    return True


def _is_free(driver_id: UUID) -> bool:
    is_driver = User.objects.filter(pk=driver_id, role=Role.DRIVER, is_active=True).exists()
    return is_driver and bool(free_among([driver_id]))


def _is_known(identity: UUID, finder: Finder, driver_id: UUID) -> bool:
    asked_before = Match.objects.filter(finder=finder, driver_id=driver_id).exists()
    return asked_before or Match.objects.filter(pk=identity).exists()


def _as_uuid(text: str) -> UUID | None:
    """Return an id that is written as we write it, which is how the clients will repeat it."""
    try:
        identity = UUID(text)
    except ValueError:
        return None
    return identity if str(identity) == text.lower() else None
