"""Which drivers a search offers the ride to: the nearest available ones, and why not the others.

Drivers who let offers lapse fall behind: each one in a row counts as `IGNORED_OFFER_KM` more to the pick-up, at most
`IGNORED_OFFERS_COUNTED` of them, until the driver answers an offer or `IGNORED_OFFERS_MEMORY` has passed. So silent
phones around a pick-up cannot starve it, and a driver who is the only one around is still offered the ride.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from rides.cells import STEP_KM, between_cells_km, cell_distance_km
from rides.geo import GeoPoint
from rides.models import DRIVER_BUSY, OPEN_MATCH, CandidateOutcome, Finder, Match, RejectReason, Ride
from rides.positions import Position, positions
from users.models import User, may_drive
from users.selectors import blocked_among

MAX_CONSIDERED = 500
"""Drivers considered in one search, nearest first; within a few kilometres that is a whole town's."""

FORGET_AFTER = 5
"""Positions older than this many `LOCATION_MAX_AGE` are not recorded for support staff."""

FAR = 2
"""Drivers within so many times the largest radius are counted for support staff as too far."""

IGNORED_OFFER_KM = 0.5
"""What an offer that the driver let lapse adds to their distance; about two minutes of riding."""

IGNORED_OFFERS_COUNTED = 5
IGNORED_OFFERS_MEMORY = timedelta(hours=6)


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


class Nearby(msgspec.Struct, frozen=True):
    """A driver near a pick-up; `rank_km` is the distance by which drivers are compared: in a coarse search by cells."""

    rank_km: float
    distance_km: float
    place: Position


class Driver(msgspec.Struct, frozen=True):
    """What the database says about a driver."""

    is_active: bool
    vehicle_type: str
    may_drive: bool
    beacon_is_on: bool
    ignored_offers: int

    def suits(self, vehicle_type: str) -> bool:
        """Whether the driver takes passengers who ask for this kind of vehicle."""
        return self.is_active and self.beacon_is_on and vehicle_type in ("", self.vehicle_type)


class Situation(msgspec.Struct, frozen=True):
    """What the database says about the drivers around a pick-up."""

    drivers: Mapping[UUID, Driver]
    vehicle_type: str
    riding: Collection[UUID]
    has_offers: Collection[UUID]
    offered_before: Collection[UUID]
    blocked: Collection[UUID]

    def ignored_km(self, driver_id: UUID) -> float:
        """Return by how much a driver falls behind."""
        driver = self.drivers.get(driver_id)
        return IGNORED_OFFER_KM * min(driver.ignored_offers, IGNORED_OFFERS_COUNTED) if driver else 0.0


def search_radius_km(attempt: int) -> float:
    """Return how far an attempt (from 1) looks: from the first radius evenly to the largest, in the last attempt."""
    first, last = float(settings.MATCH_SEARCH_RADIUS_KM), float(settings.MATCH_MAX_RADIUS_KM)
    steps: int = settings.MATCH_MAX_ATTEMPTS - 1
    if last <= first or not steps:
        return first
    return first + (last - first) * min(attempt - 1, steps) / steps


def consider(finder: Finder, room: int) -> list[OfferDecision]:
    """Return decisions on the drivers around the pick-up of whom at most `room` get an offer.

    They come in the order in which offers are made. Drivers behind the last one who gets an offer are left out, unless
    they are nearer than that one. Those who had an offer in this attempt are left out too.
    """
    now = time.time()
    offers = dict(Match.objects.filter(finder=finder).values_list("driver_id", "attempt"))
    near = [one for one in _nearby(finder, now) if offers.get(one.place.user_id) != finder.attempts]
    around = {one.place.user_id for one in near}
    situation = _read_situation(around, finder, offered_before={*offers, *_refused_before(finder)})
    near.sort(key=lambda one: one.rank_km + situation.ignored_km(one.place.user_id))
    decisions: list[OfferDecision] = []
    farthest = 0.0
    for one in near:
        if room <= 0 and one.rank_km >= farthest:
            continue
        decision = _decide(situation, one, now, has_room=room > 0)
        decisions.append(decision)
        if decision.is_offered:
            room -= 1
            farthest = max(farthest, one.rank_km)
    return decisions


def rings_beyond(finder: Finder) -> list[tuple[float, float, int]]:
    """Return how many available drivers are beyond the radius of the attempt, by ring (from km, to km).

    The rings end where later attempts do, the last one at `FAR` times the largest radius.
    """
    radii = {search_radius_km(attempt) for attempt in range(finder.attempts, settings.MATCH_MAX_ATTEMPTS + 1)}
    edges = sorted(radii | {FAR * max(radii)})
    newest = time.time() - settings.LOCATION_MAX_AGE.total_seconds()
    near = positions().drivers_near(finder.location, edges[-1], newest)
    outside = [(between_cells_km(place.point, finder.location), place) for _, place in near if place.online]
    beyond = [(km, place.user_id) for km, place in outside if km > edges[0]][:MAX_CONSIDERED]
    drivers = _drivers([driver_id for _, driver_id in beyond]) if beyond else {}
    wanted = {driver_id for driver_id, driver in drivers.items() if driver.suits(finder.vehicle_type)}
    far = [km for km, driver_id in beyond if driver_id in wanted]
    return [(start, end, sum(start < km <= end for km in far)) for start, end in pairwise(edges)]


def available_among(driver_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the drivers who may get an offer now: beacon on, no current ride, not too many open offers."""
    return free_among(driver_ids) - _with_offers(driver_ids)


def free_among(driver_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the drivers who may drive, whose beacon is on and who have no current ride."""
    beacons = {pk for pk, driver in _drivers(driver_ids).items() if driver.beacon_is_on and driver.may_drive}
    return beacons - _riding(driver_ids)


def _nearby(finder: Finder, now: float) -> list[Nearby]:
    """Return the drivers within the radius of the attempt, nearest first.

    The edge of the circle is one of cells: else a pick-up could be moved until a driver's offer comes or goes.
    """
    oldest = now - FORGET_AFTER * settings.LOCATION_MAX_AGE.total_seconds()
    radius = search_radius_km(finder.attempts)
    near = positions().drivers_near(finder.location, radius + 2 * STEP_KM, made_after=oldest)
    found: list[Nearby] = []
    for distance, place in near:
        if between_cells_km(place.point, finder.location) > radius:
            continue
        rank = cell_distance_km(place.point, finder.location) if finder.is_coarse else distance
        found.append(Nearby(rank, distance, place))
        if not finder.is_coarse and len(found) == MAX_CONSIDERED:  # they come in the order of their rank
            return found
    if finder.is_coarse:
        found.sort(key=lambda one: (one.rank_km, one.place.user_id.int))
    return found[:MAX_CONSIDERED]


def _refused_before(finder: Finder) -> set[UUID]:
    """Return the drivers of whom nothing came before the passenger moved the pin: declined, or let lapse."""
    if finder.origin_id is None:
        return set()
    earlier = Finder.objects.filter(Q(pk=finder.origin_id) | Q(origin=finder.origin_id))
    final = (RejectReason.DECLINED, RejectReason.EXPIRED)
    refused = Match.objects.filter(finder__in=earlier, reason__in=final)
    return set(refused.values_list("driver_id", flat=True))


def _read_situation(driver_ids: Collection[UUID], finder: Finder, offered_before: Collection[UUID]) -> Situation:
    """Return what the database says about these drivers, with four queries however many they are."""
    return Situation(
        drivers=_drivers(driver_ids),
        vehicle_type=finder.vehicle_type,
        riding=_riding(driver_ids),
        has_offers=_with_offers(driver_ids),
        offered_before=offered_before,
        blocked=blocked_among(finder.passenger_id, driver_ids),
    )


def _decide(situation: Situation, one: Nearby, now: float, *, has_room: bool) -> OfferDecision:
    place, age = one.place, max(0.0, now - one.place.made_at)
    outcome = _objection(situation, place, age)
    if outcome is None:
        outcome = CandidateOutcome.OFFERED if has_room else CandidateOutcome.IGNORES_OFFERS
    return OfferDecision(place.user_id, place.point, one.distance_km, age, outcome)


def _objection(situation: Situation, place: Position, age: float) -> CandidateOutcome | None:
    """Return why a driver cannot get an offer, or None."""
    driver_id = place.user_id
    driver = situation.drivers.get(driver_id)
    objections = {
        CandidateOutcome.DEACTIVATED: driver is None or not driver.is_active,
        CandidateOutcome.NOT_APPROVED: bool(driver and not driver.may_drive),
        CandidateOutcome.BLOCKED: driver_id in situation.blocked,
        CandidateOutcome.OFFERED_BEFORE: driver_id in situation.offered_before,
        CandidateOutcome.OTHER_VEHICLE: bool(driver and situation.vehicle_type not in ("", driver.vehicle_type)),
        CandidateOutcome.BEACON_OFF: driver is None or not driver.beacon_is_on,
        CandidateOutcome.NOT_CONNECTED: not place.online,
        CandidateOutcome.POSITION_TOO_OLD: age > settings.LOCATION_MAX_AGE.total_seconds(),
        CandidateOutcome.HAS_A_RIDE: driver_id in situation.riding,
        CandidateOutcome.HAS_AN_OFFER: driver_id in situation.has_offers,
    }
    return next((outcome for outcome, holds in objections.items() if holds), None)


def _drivers(driver_ids: Collection[UUID]) -> dict[UUID, Driver]:
    now = timezone.now()
    vehicle = ("driver__vehicle_type", "driver__approval", "driver__papers_until")
    beacon = ("beacon__is_active", "beacon__ignored_offers", "beacon__ignored_at")
    rows = User.objects.filter(pk__in=driver_ids).values_list("pk", "is_active", *vehicle, *beacon)
    return {
        pk: Driver(
            is_active, kind or "", may_drive(approval, until), bool(is_on), _remembered(ignored, ignored_at, now)
        )
        for pk, is_active, kind, approval, until, is_on, ignored, ignored_at in rows
    }


def _remembered(ignored: int | None, ignored_at: datetime | None, now: datetime) -> int:
    if not ignored or ignored_at is None or now - ignored_at > IGNORED_OFFERS_MEMORY:
        return 0
    return ignored


def _riding(driver_ids: Collection[UUID]) -> set[UUID]:
    rides = Ride.objects.filter(driver__in=driver_ids, status__in=DRIVER_BUSY)
    return set(rides.values_list("driver_id", flat=True))


def _with_offers(driver_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the drivers who have as many open offers as a driver may have."""
    most: int = settings.MATCH_MAX_OPEN_OFFERS
    if not most:
        return set()
    offers = Match.objects.filter(
        driver__in=driver_ids, status__in=OPEN_MATCH, expires_at__gt=timezone.now()
    ).order_by()
    counted = offers.values("driver_id").annotate(count=Count("pk")).filter(count__gte=most)
    return set(counted.values_list("driver_id", flat=True))
