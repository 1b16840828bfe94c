"""Offers of a search: whom it considered, the drivers who got one, and whether it reached their devices."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q
from msgspec.structs import replace

from events.outbox import emit
from rides.eta import eta_seconds
from rides.events import MatchFound, UserUnreachable
from rides.matching import OfferDecision, available_among, consider
from rides.models import OPEN_MATCH, Beacon, Candidate, CandidateOutcome, DeviceReceipt, Finder, Match, MatchStatus
from rides.push.base import Wake
from rides.push.sender import wake_up
from rides.services.locking import lock_users
from rides.snapshots import match_fields

RECEIPTS_EXPECTED = timedelta(hours=24)
"""A device that has confirmed anything within this time is expected to confirm an offer; an older app never does."""


def offers_make(finder: Finder, room: int, now: datetime) -> set[UUID]:
    """Offer the ride to at most `room` drivers, within the caller's transaction; return who got an offer."""
    decisions = consider(finder, room) if room > 0 else []
    chosen = [decision.driver_id for decision in decisions if decision.is_offered]
    lock_users(chosen)
    available = available_among(chosen) if chosen else set()  # once more, now that nobody can change it
    candidates_record(finder, [_settled(decision, available) for decision in decisions], now)
    offered = [decision for decision in decisions if decision.driver_id in available]
    expecting = _expected_to_confirm(available, now)
    for decision, eta in zip(offered, eta_seconds([one.point for one in offered], finder.location), strict=True):
        _offer(finder, decision, eta, now, expect_receipt=decision.driver_id in expecting)
    return available


def offers_flag_unreachable(finder: Finder, now: datetime) -> None:
    """Note which offers of a search should have been confirmed by a device and were not; each is flagged once."""
    overdue = Q(finder=finder, status__in=OPEN_MATCH, receipt_due_at__lte=now, unreachable_at=None)
    for match in Match.objects.filter(overdue):
        match.unreachable_at = now
        match.save(update_fields=["unreachable_at"])
        emit(UserUnreachable(user_id=match.driver_id, match_id=match.pk, expires_at=match.expires_at))
        wake_up(match.driver_id, wake=Wake("match_proposal", match.expires_at))


def offers_receive(*, match_ids: Iterable[UUID], driver_id: UUID, received_at: datetime) -> None:
    """Note that offers have reached the device of their driver, within the caller's transaction."""
    offers = Match.objects.filter(pk__in=list(match_ids), driver_id=driver_id, received_at=None)
    offers.update(received_at=received_at, receipt_due_at=None)


def offer_answered(match: Match, now: datetime) -> None:
    """Note a driver's answer, within the caller's transaction: it proves that the offer arrived."""
    match.answered_at = now
    match.received_at = match.received_at or now
    match.receipt_due_at = None
    match.save(update_fields=["answered_at", "received_at", "receipt_due_at"])
    Beacon.objects.filter(pk=match.driver_id, ignored_offers__gt=0).update(ignored_offers=0)


def offer_ignored(match: Match, now: datetime) -> None:
    """Count an offer that a driver let lapse, within the caller's transaction."""
    if match.status in (MatchStatus.PENDING, MatchStatus.PASSENGER_CONFIRMED):
        row = Beacon.objects.filter(pk=match.driver_id)
        row.update(ignored_offers=F("ignored_offers") + 1, ignored_at=now)


def candidates_record(finder: Finder, decisions: Iterable[OfferDecision], now: datetime) -> None:
    """Keep for support staff whom an attempt considered; the last decision on a driver counts."""
    Candidate.objects.bulk_create(
        [_candidate(finder, decision, now) for decision in decisions],
        update_conflicts=True,
        unique_fields=["finder", "attempt", "driver"],
        update_fields=["distance_km", "position_age_s", "outcome", "considered_at"],
    )


def match_create(
    finder: Finder, decision: OfferDecision, *, now: datetime, expires_at: datetime, **fields: object
) -> Match:
    """Create the match of an offer; pick-up and target are those of the search."""
    return Match.objects.create(
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


def _offer(finder: Finder, decision: OfferDecision, eta: int, now: datetime, *, expect_receipt: bool) -> None:
    match = match_create(
        finder,
        decision,
        eta_s=eta,
        now=now,
        expires_at=now + settings.MATCH_RESPONSE_TIMEOUT,
        receipt_due_at=now + settings.OFFER_RECEIPT_TIMEOUT if expect_receipt else None,
    )
    emit(MatchFound(**match_fields(match)))


def _expected_to_confirm(driver_ids: Collection[UUID], now: datetime) -> set[UUID]:
    if not driver_ids:
        return set()
    confirmed = DeviceReceipt.objects.filter(pk__in=driver_ids, received_at__gte=now - RECEIPTS_EXPECTED)
    return set(confirmed.values_list("pk", flat=True))
