"""Offers of a search: whom it considered, the drivers who got one, and whether it reached their devices."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import F
from msgspec.structs import replace

from common.prepared import PreparedUpdate
from common.rows import insert_rows
from rides.eta import eta_seconds
from rides.events import UserUnreachable
from rides.matching import OfferDecision, available_among, consider
from rides.models import Beacon, Candidate, CandidateOutcome, Finder, Match, MatchStatus
from rides.push.base import Wake
from rides.push.sender import wake_up
from rides.services.locking import lock_users


def offers_make(
    finder: Finder, offers: Collection[Match], room: int, now: datetime, planned: Iterable[OfferDecision] | None = None
) -> list[Match]:
    """Offer the ride to at most `room` drivers, within the caller's transaction, who emits the events.

    `offers` are those that the search has made before; `planned` are the decisions of its window, made without locks.
    Return the new ones.
    """
    if planned is None:
        decisions = consider(finder, offers, room) if room > 0 else []
    else:
        decisions = _still_possible(planned, offers, room)
    chosen = [decision.driver_id for decision in decisions if decision.is_offered]
    if lock_users(chosen) or planned is not None:  # look once more, now that nobody can change it
        available = available_among(chosen, finder.passenger_id)
        decisions = [_settled(decision, available) for decision in decisions]
    candidates_record(finder, decisions, now)
    offered = [decision for decision in decisions if decision.is_offered]
    etas = eta_seconds([one.point for one in offered], finder.location)
    expires_at, due = now + settings.MATCH_RESPONSE_TIMEOUT, now + settings.OFFER_RECEIPT_TIMEOUT
    matches = [
        match_of(
            finder,
            decision,
            now=now,
            expires_at=expires_at,
            eta_s=eta,
            receipt_due_at=due if decision.confirms else None,
        )
        for decision, eta in zip(offered, etas, strict=True)
    ]
    insert_rows(matches)
    return matches


def offers_flag_unreachable(offers: Iterable[Match], now: datetime) -> list[UserUnreachable]:
    """Note which of these offers should have been confirmed by a device and were not; each is flagged once.

    Return the events, which the caller emits.
    """
    overdue = [offer for offer in offers if offer.is_overdue(now)]
    for offer in overdue:
        offer.unreachable_at = now
        wake_up(offer.driver_id, wake=Wake("match_proposal", offer.expires_at))
    if overdue:
        Match.objects.filter(pk__in=[offer.pk for offer in overdue]).update(unreachable_at=now)
    return [
        UserUnreachable(user_id=offer.driver_id, match_id=offer.pk, expires_at=offer.expires_at) for offer in overdue
    ]


def offers_receive(*, match_ids: Iterable[UUID], driver_id: UUID, received_at: datetime) -> None:
    """Note that offers have reached the device of their driver, within the caller's transaction."""
    offers = Match.objects.filter(pk__in=list(match_ids), driver_id=driver_id, received_at=None)
    offers.update(received_at=received_at, receipt_due_at=None)


def offer_answered(match: Match, now: datetime) -> None:
    """Note a driver's answer, which proves that the offer arrived; the caller saves the match."""
    match.answered_at = now
    match.received_at = match.received_at or now
    match.receipt_due_at = None
    _FORGIVEN.run(match.driver_id)


def offer_ignored(match: Match, now: datetime) -> None:
    """Count an offer that a driver let lapse, within the caller's transaction."""
    if match.status in (MatchStatus.PENDING, MatchStatus.PASSENGER_CONFIRMED):
        row = Beacon.objects.filter(pk=match.driver_id)
        row.update(ignored_offers=F("ignored_offers") + 1, ignored_at=now)


def candidates_record(finder: Finder, decisions: Iterable[OfferDecision], now: datetime) -> None:
    """Keep for support staff whom an attempt considered; the last decision on a driver counts."""
    rows = [_candidate(finder, decision, now) for decision in decisions]
    insert_rows(rows, replaces=("finder", "attempt", "driver"))


def match_of(
    finder: Finder, decision: OfferDecision, *, now: datetime, expires_at: datetime, **fields: object
) -> Match:
    """Return the match of an offer, not yet saved; pick-up and target are those of the search."""
    return Match(
        finder=finder,
        attempt=finder.attempts,
        driver_id=decision.driver_id,
        passenger_id=finder.passenger_id,
        latitude=finder.latitude,
        longitude=finder.longitude,
        driver_latitude=decision.point.latitude,
        driver_longitude=decision.point.longitude,
        target_latitude=finder.target_latitude,
        target_longitude=finder.target_longitude,
        distance_km=decision.distance_km,
        expires_at=expires_at,
        created_at=now,
        **fields,
    )


def _still_possible(planned: Iterable[OfferDecision], offers: Collection[Match], room: int) -> list[OfferDecision]:
    """Return planned decisions without drivers who had an offer meanwhile, and with at most `room` offers."""
    before = {offer.driver_id for offer in offers}
    decisions = []
    for decision in planned:
        if decision.is_offered and (decision.driver_id in before or room <= 0):
            continue
        room -= decision.is_offered
        decisions.append(decision)
    return decisions


def _settled(decision: OfferDecision, available: Collection[UUID]) -> OfferDecision:
    """Return the decision, corrected where another search was faster."""
    if not decision.is_offered or decision.driver_id in available:
        return decision
    return replace(decision, outcome=CandidateOutcome.HAS_AN_OFFER)


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


_FORGIVEN = PreparedUpdate(
    UUID, build=lambda pk: (Beacon.objects.filter(pk=pk, ignored_offers__gt=0), {"ignored_offers": 0})
)
