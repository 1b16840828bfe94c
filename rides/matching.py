"""Whom to ask: the nearest drivers who are free, and why not the others."""

from __future__ import annotations

import time
from collections.abc import Collection
from uuid import UUID

import msgspec
from django.conf import settings

from rides.geo import GeoPoint
from rides.models import DRIVER_BUSY, Beacon, Finder, Match, Ride
from rides.positions import positions
from users.models import User

MAX_CONSIDERED = 500
"""Drivers looked at in one search, nearest first; within a few kilometres that is a whole town's."""

FORGET_AFTER = 5
"""Positions older than this many `LOCATION_MAX_AGE` are not even worth a mention to support staff."""

OUTCOMES = (
    "asked",
    "asked_by_a_service",
    "deactivated",
    "asked_before",
    "beacon_off",
    "not_connected",
    "position_too_old",
    "has_a_ride",
)
"""What may be thought of a driver; the second where another service has chosen him."""


class Verdict(msgspec.Struct, frozen=True):
    """What a search thinks of a driver; `outcome` is `asked` or the reason why he was not."""

    driver_id: UUID
    point: GeoPoint
    distance_km: float
    position_age_s: float
    outcome: str

    @property
    def asked(self) -> bool:
        """Whether the driver gets a proposal."""
        return self.outcome == "asked"


class _Situation(msgspec.Struct, frozen=True):
    """What the database knows of the drivers around."""

    active: Collection[UUID]
    beacons: Collection[UUID]
    riding: Collection[UUID]
    asked_before: Collection[UUID]


def consider(finder: Finder) -> list[Verdict]:
    """Return a verdict on each driver around the pick-up, nearest first, up to the last one who is to be asked."""
    now = time.time()
    max_age: float = settings.LOCATION_MAX_AGE.total_seconds()
    radius = float(settings.MATCH_SEARCH_RADIUS_KM)
    near = positions().drivers_near(finder.location, radius, received_after=now - FORGET_AFTER * max_age)
    near = near[:MAX_CONSIDERED]
    situation = _situation(finder, {place.user_id for _, place in near})
    verdicts: list[Verdict] = []
    room: int = settings.MATCH_MAX_DRIVERS
    for distance, place in near:
        if not room:
            break
        age = max(0.0, now - place.received_at)
        outcome = _objection(situation, place.user_id, online=place.online, stale=age > max_age) or "asked"
        verdicts.append(Verdict(place.user_id, place.point, distance, age, outcome))
        room -= outcome == "asked"
    return verdicts


def free_among(driver_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the drivers whose beacon is on and who have no current ride."""
    return _beacons_on(driver_ids) - _riding(driver_ids)


def _objection(situation: _Situation, driver_id: UUID, *, online: bool, stale: bool) -> str:
    if driver_id not in situation.active:
        return "deactivated"
    if driver_id in situation.asked_before:
        return "asked_before"
    if driver_id not in situation.beacons:
        return "beacon_off"
    if not online:
        return "not_connected"
    if stale:
        return "position_too_old"
    return "has_a_ride" if driver_id in situation.riding else ""


def _situation(finder: Finder, around: Collection[UUID]) -> _Situation:
    return _Situation(
        active=set(User.objects.filter(pk__in=around, is_active=True).values_list("pk", flat=True)),
        beacons=_beacons_on(around),
        riding=_riding(around),
        asked_before=set(Match.objects.filter(finder=finder).values_list("driver_id", flat=True)),
    )


def _beacons_on(driver_ids: Collection[UUID]) -> set[UUID]:
    return set(Beacon.objects.filter(pk__in=driver_ids, is_active=True).values_list("pk", flat=True))


def _riding(driver_ids: Collection[UUID]) -> set[UUID]:
    rides = Ride.objects.filter(driver__in=driver_ids, status__in=DRIVER_BUSY)
    return set(rides.values_list("driver_id", flat=True))
