"""Which drivers a search offers the ride to: the nearest available ones, and why not the others.

Drivers who let offers lapse fall behind: each one in a row counts as `IGNORED_OFFER_KM` more to the pick-up, at most
`IGNORED_OFFERS_COUNTED` of them, until the driver answers an offer or `IGNORED_OFFERS_MEMORY` has passed. So silent
phones around a pick-up cannot starve it, and a driver who is the only one around is still offered the ride.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery

from common import clock
from common.prepared import Prepared, padded
from rides.cells import STEP_KM, between_cells_km, cell_distance_km
from rides.geo import GeoPoint
from rides.models import DRIVER_BUSY, OPEN_MATCH, CandidateOutcome, DeviceReceipt, Finder, Match, RejectReason, Ride
from rides.positions import Position, positions
from users.models import Block, User, may_drive

MAX_CONSIDERED = 500
"""Drivers considered in one search, nearest first; within a few kilometres that is a whole town's."""

FIRST_LOOK, FARTHER = 20, 4
"""Drivers looked at first, and how many times as many next: 20, 80, 320, then `MAX_CONSIDERED`."""

RECEIPTS_EXPECTED = timedelta(hours=24)
"""A device that has confirmed anything within this time is expected to confirm an offer; an older app never does."""

FORGET_AFTER = 5
"""Positions older than this many `LOCATION_MAX_AGE` are not recorded for support staff."""

FAR = 2
"""Drivers within so many times the largest radius are counted for support staff as too far."""

IGNORED_OFFER_KM = 0.5
"""What an offer that the driver let lapse adds to their distance; about two minutes of riding."""

IGNORED_OFFERS_COUNTED = 5
IGNORED_OFFERS_MEMORY = timedelta(hours=6)

NOBODY = UUID(int=0)
VEHICLE = ("driver__vehicle_type", "driver__approval", "driver__papers_until")
BEACON = ("beacon__is_active", "beacon__ignored_offers", "beacon__ignored_at")


class OfferDecision(msgspec.Struct, frozen=True):
    """Whether a driver gets an offer; `outcome` is `OFFERED` or the reason why not."""

    driver_id: UUID
    point: GeoPoint
    distance_km: float
    position_age_s: float
    outcome: CandidateOutcome
    confirms: bool = False
    """Whether the driver's device is expected to confirm the offer."""

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
    is_riding: bool
    open_offers: int
    is_blocked: bool
    """Whether the driver or the passenger has blocked the other."""
    confirms: bool

    @property
    def is_free(self) -> bool:
        """Whether the driver waits for passengers."""
        return self.may_drive and self.beacon_is_on and not self.is_riding

    @property
    def has_an_offer(self) -> bool:
        """Whether the driver has as many open offers as a driver may have."""
        most: int = settings.MATCH_MAX_OPEN_OFFERS
        return bool(most) and self.open_offers >= most

    def suits(self, vehicle_type: str) -> bool:
        """Whether the driver takes passengers who ask for this kind of vehicle."""
        return self.is_active and self.beacon_is_on and vehicle_type in ("", self.vehicle_type)


class Situation(msgspec.Struct, frozen=True):
    """What the database says about the drivers around a pick-up, as far as they have been looked at."""

    vehicle_type: str
    offered_before: Collection[UUID]
    drivers: Mapping[UUID, Driver]

    def ignored_km(self, driver_id: UUID) -> float:
        """Return by how much a driver falls behind."""
        driver = self.drivers.get(driver_id)
        return IGNORED_OFFER_KM * min(driver.ignored_offers, IGNORED_OFFERS_COUNTED) if driver else 0.0

    def rank(self, one: Nearby) -> float:
        """Return what drivers are ordered by; it is no less than `rank_km`."""
        return one.rank_km + self.ignored_km(one.place.user_id)


def search_radius_km(attempt: int) -> float:
    """Return how far an attempt (from 1) looks: from the first radius evenly to the largest, in the last attempt."""
    first, last = float(settings.MATCH_SEARCH_RADIUS_KM), float(settings.MATCH_MAX_RADIUS_KM)
    steps: int = settings.MATCH_MAX_ATTEMPTS - 1
    if last <= first or not steps:
        return first
    return first + (last - first) * min(attempt - 1, steps) / steps


def consider(finder: Finder, offers: Collection[Match], room: int) -> list[OfferDecision]:
    """Return decisions on the drivers around the pick-up of whom at most `room` get an offer.

    `offers` are those that the search has made before. Decisions come in the order in which offers are made. Drivers
    behind the last one who gets an offer are left out, unless they are nearer than that one. Those who had an offer in
    this attempt are left out too.

    It looks at the nearest `FIRST_LOOK` drivers, and at `FARTHER` times as many while there is room: so the cost does
    not depend on how many drivers a city has.
    """
    now = clock.timestamp()
    this_attempt = {offer.driver_id for offer in offers if offer.attempt == finder.attempts}
    before = {offer.driver_id for offer in offers} | refused_before(finder)
    known: dict[UUID, Driver] = {}
    situation = Situation(finder.vehicle_type, before, known)
    count = FIRST_LOOK
    while True:
        near = nearby(finder, now, count)
        is_all = len(near) < count or count >= MAX_CONSIDERED
        new = [one.place.user_id for one in near if one.place.user_id not in known]
        known.update(drivers_among(new, finder.passenger_id))
        # Who is farther than all of these ranks behind whoever ranks before the last of them.
        reach = math.inf if is_all else near[-1].rank_km
        ranked = sorted((one for one in near if one.place.user_id not in this_attempt), key=situation.rank)
        decisions = _decisions(situation, ranked, now, room)
        settled = sum(decision.is_offered for one, decision in decisions if situation.rank(one) <= reach)
        if is_all or settled >= room:
            return [decision for _, decision in decisions]
        count = min(count * FARTHER, MAX_CONSIDERED)


def _decisions(
    situation: Situation, ranked: Iterable[Nearby], now: float, room: int
) -> list[tuple[Nearby, OfferDecision]]:
    decisions: list[tuple[Nearby, OfferDecision]] = []
    farthest = 0.0
    for one in ranked:
        if room <= 0 and one.rank_km >= farthest:
            continue
        decision = decide(
            situation, one, now, CandidateOutcome.OFFERED if room > 0 else CandidateOutcome.IGNORES_OFFERS
        )
        decisions.append((one, decision))
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
    newest = clock.timestamp() - settings.LOCATION_MAX_AGE.total_seconds()
    near = positions().drivers_near(finder.location, edges[-1], newest, MAX_CONSIDERED)
    outside = [(between_cells_km(place.point, finder.location), place) for _, place in near if place.online]
    beyond = [(km, place.user_id) for km, place in outside if km > edges[0]]
    drivers = drivers_among([driver_id for _, driver_id in beyond], finder.passenger_id)
    wanted = {driver_id for driver_id, driver in drivers.items() if driver.suits(finder.vehicle_type)}
    far = [km for km, driver_id in beyond if driver_id in wanted]
    return [(start, end, sum(start < km <= end for km in far)) for start, end in pairwise(edges)]


def available_among(driver_ids: Collection[UUID], passenger_id: UUID | None = None) -> set[UUID]:
    """Return those of the drivers who may get an offer now: beacon on, no current ride, not too many open offers.

    Where a passenger is named, those are left out who have blocked them or whom they have blocked.
    """
    found = drivers_among(driver_ids, passenger_id)
    return {pk for pk, one in found.items() if one.is_free and not one.has_an_offer and not one.is_blocked}


def free_among(driver_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the drivers who may drive, whose beacon is on and who have no current ride."""
    return {pk for pk, driver in drivers_among(driver_ids).items() if driver.is_free}


def nearby(finder: Finder, now: float, count: int) -> list[Nearby]:
    """Return the `count` nearest drivers within the radius of the attempt, nearest first.

    The edge of the circle is one of cells: else a pick-up could be moved until a driver's offer comes or goes.
    """
    oldest = now - FORGET_AFTER * settings.LOCATION_MAX_AGE.total_seconds()
    radius = search_radius_km(finder.attempts)
    reach, most = radius + 2 * STEP_KM, 2 * MAX_CONSIDERED
    near = positions().drivers_near(finder.location, reach, oldest, most if finder.is_coarse else count)
    found = _in_circle(near, finder.location, radius)
    if len(found) < count <= len(near) < most:  # some are beyond the edge, where farther ones may be within
        found = _in_circle(positions().drivers_near(finder.location, reach, oldest, most), finder.location, radius)
    if not finder.is_coarse:
        return [Nearby(km, km, place) for km, place in found[:count]]
    rough = [Nearby(cell_distance_km(place.point, finder.location), km, place) for km, place in found]
    return sorted(rough, key=lambda one: (one.rank_km, one.place.user_id.int))[:count]


def _in_circle(
    near: Iterable[tuple[float, Position]], center: GeoPoint, radius_km: float
) -> list[tuple[float, Position]]:
    return [(km, place) for km, place in near if between_cells_km(place.point, center) <= radius_km]


def refused_before(finder: Finder) -> set[UUID]:
    """Return the drivers of whom nothing came before the passenger moved the pin: declined, or let lapse."""
    if finder.origin_id is None:
        return set()
    earlier = Finder.objects.filter(Q(pk=finder.origin_id) | Q(origin=finder.origin_id))
    final = (RejectReason.DECLINED, RejectReason.EXPIRED)
    refused = Match.objects.filter(finder__in=earlier, reason__in=final)
    return set(refused.values_list("driver_id", flat=True))


def decide(situation: Situation, one: Nearby, now: float, unless: CandidateOutcome) -> OfferDecision:
    """Return the decision on a driver: `unless`, where nothing speaks against an offer."""
    place = one.place
    outcome = objection(situation, place, now) or unless
    driver = situation.drivers.get(place.user_id)
    confirms = driver is not None and driver.confirms
    return OfferDecision(place.user_id, place.point, one.distance_km, _age(place, now), outcome, confirms)


def objection(situation: Situation, place: Position, now: float) -> CandidateOutcome | None:
    """Return why a driver cannot get an offer, or None."""
    driver_id = place.user_id
    driver = situation.drivers.get(driver_id)
    objections = {
        CandidateOutcome.DEACTIVATED: driver is None or not driver.is_active,
        CandidateOutcome.NOT_APPROVED: bool(driver and not driver.may_drive),
        CandidateOutcome.BLOCKED: driver is not None and driver.is_blocked,
        CandidateOutcome.OFFERED_BEFORE: driver_id in situation.offered_before,
        CandidateOutcome.OTHER_VEHICLE: bool(driver and situation.vehicle_type not in ("", driver.vehicle_type)),
        CandidateOutcome.BEACON_OFF: driver is None or not driver.beacon_is_on,
        CandidateOutcome.NOT_CONNECTED: not place.online,
        CandidateOutcome.POSITION_TOO_OLD: _age(place, now) > settings.LOCATION_MAX_AGE.total_seconds(),
        CandidateOutcome.HAS_A_RIDE: driver is not None and driver.is_riding,
        CandidateOutcome.HAS_AN_OFFER: driver is not None and driver.has_an_offer,
    }
    return next((outcome for outcome, holds in objections.items() if holds), None)


def _age(place: Position, now: float) -> float:
    return max(0.0, now - place.made_at)


def drivers_among(driver_ids: Collection[UUID], passenger_id: UUID | None = None) -> dict[UUID, Driver]:
    """Return what the database says about drivers; one query, or none for nobody."""
    if not driver_ids:
        return {}
    now = clock.now()
    ids = padded(list(driver_ids))
    rows = _drivers_query(len(ids)).rows(*ids, passenger_id or NOBODY, now, now - RECEIPTS_EXPECTED)
    return {pk: _driver(_Row(*facts), now) for pk, *facts in rows}


@cache
def _drivers_query(count: int) -> Prepared:
    return Prepared(*[UUID] * count, UUID, datetime, datetime, build=_about_drivers)


def _about_drivers(*arguments: Any) -> QuerySet[Any, Any]:
    *driver_ids, passenger_id, now, confirmed_since = arguments
    riding = Ride.objects.filter(driver=OuterRef("pk"), status__in=DRIVER_BUSY)
    offers = Match.objects.filter(driver=OuterRef("pk"), status__in=OPEN_MATCH, expires_at__gt=now).order_by()
    count = offers.values("driver").annotate(count=Count("pk")).values("count")
    blocks = Block.objects.filter(
        Q(blocker=passenger_id, blocked=OuterRef("pk")) | Q(blocked=passenger_id, blocker=OuterRef("pk"))
    )
    receipts = DeviceReceipt.objects.filter(pk=OuterRef("pk"), received_at__gte=confirmed_since)
    affairs = {
        "is_riding": Exists(riding),
        "open_offers": Subquery(count),
        "is_blocked": Exists(blocks),
        "confirms": Exists(receipts),
    }
    users = User.objects.filter(pk__in=driver_ids).annotate(**affairs).order_by()
    return users.values_list("pk", "is_active", *VEHICLE, *BEACON, *affairs)


class _Row(NamedTuple):
    """What `_about_drivers` reads, in this order."""

    is_active: bool
    vehicle_type: str | None
    approval: str | None
    papers_until: date | None
    beacon_is_on: bool | None
    ignored_offers: int | None
    ignored_at: datetime | None
    is_riding: bool
    open_offers: int | None
    is_blocked: bool
    confirms: bool


def _driver(row: _Row, now: datetime) -> Driver:
    return Driver(
        is_active=row.is_active,
        vehicle_type=row.vehicle_type or "",
        may_drive=may_drive(row.approval, row.papers_until),
        beacon_is_on=bool(row.beacon_is_on),
        ignored_offers=_remembered(row.ignored_offers, row.ignored_at, now),
        is_riding=row.is_riding,
        open_offers=row.open_offers or 0,
        is_blocked=row.is_blocked,
        confirms=row.confirms,
    )


def _remembered(ignored: int | None, ignored_at: datetime | None, now: datetime) -> int:
    if not ignored or ignored_at is None or now - ignored_at > IGNORED_OFFERS_MEMORY:
        return 0
    return ignored
