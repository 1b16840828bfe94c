"""Searches that are matched together (`MATCH_WINDOW`): a driver goes where the ways of all are shortest in sum.

Windows follow each other by the clock: whichever process looks, the same searches are in one. Nothing is kept but what
is in the rows of the searches, so a process that dies in mid-window loses none. A plan is made without locks; the
service that makes the offers of a search looks again, under lock, at what has changed since.

Each round gives a search at most one driver more, first to those who have the fewest offers open. So while drivers are
scarce every search gets one before any gets two, and with drivers enough each gets `MATCH_MAX_DRIVERS`.
"""

from __future__ import annotations

from collections import ChainMap, Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Q
from msgspec.structs import replace

from common import clock
from rides.matching import (
    FARTHER,
    FIRST_LOOK,
    MAX_CONSIDERED,
    Driver,
    Nearby,
    OfferDecision,
    Situation,
    decide,
    drivers_among,
    nearby,
    objection,
    refused_before,
)
from rides.models import OPEN_MATCH, CandidateOutcome, Finder, Match
from users.models import Block

WAITED_KM_PER_MINUTE = 0.15
"""What a minute of waiting is worth in way to the pick-up: 30 seconds' way at 25 km/h with a detour of 1.4."""

MOST_DRIVERS = 50
"""Drivers among whom a search can get one in a window, nearest first; it bounds what the assignment costs."""

NEVER = 1e6
"""The cost, in km, of what must not be."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window_begun(now: datetime) -> datetime:
    """Return when the window of a moment began: what was due by then is matched now. Without windows that is now."""
    return now - (now - EPOCH) % settings.MATCH_WINDOW if settings.MATCH_WINDOW else now


def window_after(due: datetime) -> datetime:
    """Return when what is due at a moment is matched."""
    return due + (EPOCH - due) % settings.MATCH_WINDOW if settings.MATCH_WINDOW else due


class _Search(msgspec.Struct):
    """A search of the window."""

    finder: Finder
    room: int
    open_offers: int
    this_attempt: set[UUID]
    situation: Situation
    blocked: dict[UUID, Driver]
    """Drivers who do not ride with this passenger: they stand before all others in `situation`."""
    near: list[Nearby] = []
    chosen: set[UUID] = set()

    def wants_more(self, offers: int) -> bool:
        """Whether the search has no more than so many offers open, and may make another."""
        return len(self.chosen) < self.room and self.open_offers + len(self.chosen) <= offers

    def free(self, now: float) -> list[Nearby]:
        """Return the drivers who may get an offer, nearest first."""
        may = [
            one
            for one in self.near
            if one.place.user_id not in self.this_attempt and objection(self.situation, one.place, now) is None
        ]
        return sorted(may, key=lambda one: (self.situation.rank(one), one.place.user_id.int))[:MOST_DRIVERS]


def load() -> None:
    """Load what windows need, which takes half a second, before the first one ends."""
    if settings.MATCH_WINDOW:
        assign([{UUID(int=0): 0.0}])


def plan(finders: Sequence[Finder], now: datetime) -> dict[UUID, list[OfferDecision]]:
    """Return the decisions on the drivers around the pick-up of each search, in the order in which offers are made.

    Reads by a few statements, however many searches there are. The same searches and drivers lead to the same
    decisions, in whatever order they come.
    """
    at = clock.timestamp()
    searches = _searches(sorted(finders, key=lambda finder: (finder.created_at, finder.pk.int)), now)
    known = _look([search for search in searches if search.room > 0], at)
    left = _share_out(searches, known, now, at)
    return {search.finder.pk: _decisions(search, left, at) for search in searches}


def assign(costs: Sequence[Mapping[UUID, float]]) -> list[tuple[int, UUID]]:
    """Return pairs of row and column, each in one pair at most: as many as can be, at the least sum of costs.

    Each row has the costs of the columns that it may have.
    """
    columns = sorted(set().union(*costs))
    if not columns:
        return []
    import numpy as np  # both here: half a second and 40 MB that only windows need
    from scipy.optimize import linear_sum_assignment

    place = {column: number for number, column in enumerate(columns)}
    matrix = np.full((len(costs), len(columns)), NEVER)
    for number, row in enumerate(costs):
        matrix[number, [place[column] for column in row]] = list(row.values())
    pairs = zip(*(side.tolist() for side in linear_sum_assignment(matrix)), strict=True)
    return [(row, columns[number]) for row, number in pairs if columns[number] in costs[row]]


def _searches(finders: Sequence[Finder], now: datetime) -> list[_Search]:
    offers: dict[UUID, list[Match]] = defaultdict(list)
    for offer in Match.objects.filter(finder__in=[finder.pk for finder in finders]):
        offers[offer.finder_id].append(offer)
    return [_search(finder, offers[finder.pk], now) for finder in finders]


def _search(finder: Finder, offers: Iterable[Match], now: datetime) -> _Search:
    """Return a search as its next look for drivers will find it."""
    if finder.attempt_is_over(now):
        finder.attempts += 1
    own = [offer for offer in offers if offer.attempt == finder.attempts]
    asked = sum(offer.unreachable_at is None and not offer.is_overdue(now) for offer in own)
    is_over = finder.attempts > settings.MATCH_MAX_ATTEMPTS
    before = {offer.driver_id for offer in offers} | refused_before(finder)
    blocked: dict[UUID, Driver] = {}
    return _Search(
        finder=finder,
        room=0 if is_over else settings.MATCH_MAX_DRIVERS - asked,
        open_offers=sum(offer.status in OPEN_MATCH and not offer.is_overdue(now) for offer in own),
        this_attempt={offer.driver_id for offer in own},
        situation=Situation(finder.vehicle_type, before, blocked),
        blocked=blocked,
    )


def _look(searches: Sequence[_Search], at: float) -> dict[UUID, Driver]:
    """Find the drivers around each pick-up, more of them while few may get an offer; return what is known of all."""
    known: dict[UUID, Driver] = {}
    blocks = _blocks([search.finder.passenger_id for search in searches])
    looking, count = list(searches), FIRST_LOOK
    while looking:
        for search in looking:
            search.near = nearby(search.finder, at, count)
            search.situation = replace(search.situation, drivers=ChainMap(search.blocked, known))
        new = {one.place.user_id for search in looking for one in search.near} - known.keys()
        known.update(drivers_among(new))
        for search in searches:
            barred = blocks[search.finder.passenger_id] & new & known.keys()
            search.blocked.update({pk: replace(known[pk], is_blocked=True) for pk in barred})
        looking = [one for one in looking if len(one.near) >= count and len(one.free(at)) < FIRST_LOOK]
        if count >= MAX_CONSIDERED:
            break
        count = min(count * FARTHER, MAX_CONSIDERED)
    return known


def _blocks(passenger_ids: Sequence[UUID]) -> defaultdict[UUID, set[UUID]]:
    """Return, by passenger, whom they have blocked and who has blocked them."""
    rows = Block.objects.filter(Q(blocker__in=passenger_ids) | Q(blocked__in=passenger_ids))
    found: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for one, other in rows.values_list("blocker", "blocked"):
        found[one].add(other)
        found[other].add(one)
    return found


def _share_out(searches: Sequence[_Search], known: Mapping[UUID, Driver], now: datetime, at: float) -> Counter[UUID]:
    """Choose the drivers of each search; return how many more offers each driver may get."""
    most: int = settings.MATCH_MAX_OPEN_OFFERS
    left = Counter({pk: most - driver.open_offers if most else len(searches) for pk, driver in known.items()})
    free = {search.finder.pk: search.free(at) for search in searches if search.room > 0}
    for level in range(settings.MATCH_MAX_DRIVERS):
        while pairs := _round([search for search in searches if search.wants_more(level)], free, left, now):
            for search, driver_id in pairs:
                search.chosen.add(driver_id)
                left[driver_id] -= 1
    return left


def _round(
    searches: Sequence[_Search], free: Mapping[UUID, Sequence[Nearby]], left: Counter[UUID], now: datetime
) -> list[tuple[_Search, UUID]]:
    """Give each search at most one driver, and each driver at most one search."""
    costs = [
        {
            one.place.user_id: search.situation.rank(one) - _waited(search.finder, now)
            for one in free[search.finder.pk]
            if left[one.place.user_id] > 0 and one.place.user_id not in search.chosen
        }
        for search in searches
    ]
    return [(searches[row], driver_id) for row, driver_id in assign(costs)]


def _waited(finder: Finder, now: datetime) -> float:
    return WAITED_KM_PER_MINUTE * max(0.0, (now - finder.created_at).total_seconds()) / 60


def _decisions(search: _Search, left: Counter[UUID], at: float) -> list[OfferDecision]:
    """Return what support staff can read: drivers behind the last one who gets an offer are left out."""
    chosen = search.chosen
    near = {one.place.user_id: one for one in search.near}
    farthest = max((near[pk].rank_km for pk in chosen), default=0.0)
    is_short = len(chosen) < search.room
    ranked = sorted(near.values(), key=lambda one: (search.situation.rank(one), one.place.user_id.int))
    return [
        decide(search.situation, one, at, _unless(pk, chosen, left))
        for pk, one in ((one.place.user_id, one) for one in ranked)
        if pk not in search.this_attempt and (pk in chosen or is_short or one.rank_km < farthest)
    ]


def _unless(driver_id: UUID, chosen: set[UUID], left: Counter[UUID]) -> CandidateOutcome:
    if driver_id in chosen:
        return CandidateOutcome.OFFERED
    return CandidateOutcome.IGNORES_OFFERS if left[driver_id] > 0 else CandidateOutcome.OTHER_SEARCH
