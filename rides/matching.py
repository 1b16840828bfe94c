"""Which drivers a search offers the ride to: the nearest available ones, and why not the others."""

from __future__ import annotations

import time
from collections.abc import Collection
from uuid import UUID

import msgspec
from django.conf import settings

from rides.geo import GeoPoint
from rides.models import DRIVER_BUSY, Beacon, CandidateOutcome, Finder, Match, Ride
from rides.positions import Position, positions
from users.models import User

MAX_CONSIDERED = 500
"""Drivers considered in one search, nearest first; within a few kilometres that is a whole town's."""

FORGET_AFTER = 5
"""Positions older than this many `LOCATION_MAX_AGE` are not recorded for support staff."""


class OfferDecision(msgspec.Struct, frozen=True):
    """Whether a driver gets an offer; `outcome` is `OFFERED` or the reason why not."""

    driver_id: UUID
    point: GeoPoint
    distance_km: float
    position_age_s: float
    outcome: CandidateOutcome

    @property
    def is_offered(self) -> bool:
        """Whether the driver gets an offer."""
        return self.outcome == CandidateOutcome.OFFERED


class _Situation(msgspec.Struct, frozen=True):
    """What the database says about the drivers around."""

    active: Collection[UUID]
    beacons: Collection[UUID]
    riding: Collection[UUID]
    offered_before: Collection[UUID]


def consider(finder: Finder) -> list[OfferDecision]:
    """Return a decision on each driver around the pick-up, nearest first, up to the last one who gets an offer."""
    now = time.time()
    near = _drivers_near(finder.location, now)
    situation = _situation(finder, {place.user_id for _, place in near})
    decisions: list[OfferDecision] = []
    room: int = settings.MATCH_MAX_DRIVERS
    for distance, place in near:
        if not room:
            break
        age = max(0.0, now - place.received_at)
        outcome = _outcome(situation, place, age)
        decisions.append(OfferDecision(place.user_id, place.point, distance, age, outcome))
        room -= outcome == CandidateOutcome.OFFERED
    return decisions


def free_among(driver_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the drivers whose beacon is on and who have no current ride."""
    return _beacons_on(driver_ids) - _riding(driver_ids)


def _drivers_near(point: GeoPoint, now: float) -> list[tuple[float, Position]]:
    radius = float(settings.MATCH_SEARCH_RADIUS_KM)
    oldest = now - FORGET_AFTER * settings.LOCATION_MAX_AGE.total_seconds()
    return positions().drivers_near(point, radius, received_after=oldest)[:MAX_CONSIDERED]


def _outcome(situation: _Situation, place: Position, age: float) -> CandidateOutcome:
    driver_id = place.user_id
    objections = {
        CandidateOutcome.DEACTIVATED: driver_id not in situation.active,
        CandidateOutcome.OFFERED_BEFORE: driver_id in situation.offered_before,
        CandidateOutcome.BEACON_OFF: driver_id not in situation.beacons,
        CandidateOutcome.NOT_CONNECTED: not place.online,
        CandidateOutcome.POSITION_TOO_OLD: age > settings.LOCATION_MAX_AGE.total_seconds(),
        CandidateOutcome.HAS_A_RIDE: driver_id in situation.riding,
    }
    return next((outcome for outcome, holds in objections.items() if holds), CandidateOutcome.OFFERED)


def _situation(finder: Finder, around: Collection[UUID]) -> _Situation:
    return _Situation(
        active=set(User.objects.filter(pk__in=around, is_active=True).values_list("pk", flat=True)),
        beacons=_beacons_on(around),
        riding=_riding(around),
        offered_before=set(Match.objects.filter(finder=finder).values_list("driver_id", flat=True)),
    )


def _beacons_on(driver_ids: Collection[UUID]) -> set[UUID]:
    return set(Beacon.objects.filter(pk__in=driver_ids, is_active=True).values_list("pk", flat=True))


def _riding(driver_ids: Collection[UUID]) -> set[UUID]:
    rides = Ride.objects.filter(driver__in=driver_ids, status__in=DRIVER_BUSY)
    return set(rides.values_list("driver_id", flat=True))
