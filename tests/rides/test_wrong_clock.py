"""A process whose clock is an hour off, beside others: what it writes and decides is by the clock that all share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from common import clock
from common.clock import shared_clock, steady
from common.errors import Unauthorized
from events.models import OutboxEvent
from realtime.commands.dispatch import purge_receipts
from realtime.server.due import seconds_until_due
from rides.geo import GeoPoint
from rides.models import Finder, Match, MatchStatus, Payment, Quote, Ride, RideStatus
from rides.positions import positions
from rides.positions.base import reported_at
from rides.services.fares import fare_recompute
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from rides.services.proposals import Proposal, match_adopt
from rides.services.quotes import quote_make
from rides.services.rides import ride_arrived, ride_start
from rides.services.tracks import Report, tracks_record
from rides.staff.audit import audit
from rides.timers import run_due
from tests.cast import BLOK_M, MONAS, fix_at, north_of, propose, stand_by
from users.codes import code_check, code_create
from users.models import OneTimeCode, User
from users.tokens import claims_of, tokens_issue

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NEAR = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _measured() -> None:
    """The process has measured the clock that all share, which is right."""
    shared_clock()._ahead = time.time() - steady()


@pytest.fixture(params=[-1, 1], ids=["behind", "ahead"])
def go_wrong(request: pytest.FixtureRequest) -> Iterator[Callable[[], datetime]]:
    """Let the process be an hour off from now on; the right time is returned."""
    with ExitStack() as stack:

        def go() -> datetime:
            right = datetime.now(UTC)
            stack.enter_context(time_machine.travel(right + request.param * HOUR))
            assert abs(timezone.now() - clock.now()) > HOUR - NEAR
            return right

        yield go


@pytest.fixture
def wrong(go_wrong: Callable[[], datetime]) -> datetime:
    """The process is an hour off from the beginning."""
    return go_wrong()


def seen(driver: User, place: GeoPoint = MONAS) -> None:
    at = clock.timestamp()
    positions().report(driver.pk, reported_at(place, at), at, driver=True)


def search(putri: User) -> Finder:
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    return Finder.objects.get(passenger=putri)


def test_offers_end_when_they_should(dewi: User, putri: User, wrong: datetime, settings: Any) -> None:
    stand_by(dewi)
    seen(dewi)
    finder = search(putri)
    match = Match.objects.get()
    latest = wrong + NEAR
    for moment in (match.created_at, match.expires_at, finder.created_at, finder.due_at, finder.attempt_ends_at):
        assert wrong - timedelta(seconds=1) <= moment <= latest
    assert (match.expires_at - match.created_at) == settings.MATCH_RESPONSE_TIMEOUT
    event = OutboxEvent.objects.get(type="match_proposal")
    assert abs(event.created_at - wrong) < NEAR
    assert event.valid_until is not None
    assert abs(event.valid_until - match.expires_at) < timedelta(seconds=1)
    assert 0 < seconds_until_due() < 60


def test_offers_of_others_can_be_answered(dewi: User, putri: User, go_wrong: Callable[[], datetime]) -> None:
    """They were made by a process whose clock is right."""
    match = propose(dewi, putri)
    wrong = go_wrong()
    run_due()
    match.refresh_from_db()
    assert match.status == MatchStatus.PENDING
    for user in (dewi, putri):
        match_confirm(user_id=user.pk, match_id=match.pk, accepted=True)
    assert abs(Ride.objects.get().created_at - wrong) < NEAR


def test_what_is_over_cannot_be_answered(dewi: User, putri: User, go_wrong: Callable[[], datetime]) -> None:
    match = propose(dewi, putri)
    Match.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    go_wrong()
    with pytest.raises(Exception, match="has expired"):
        match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=True)


def test_an_offer_of_a_service_is_adopted(dewi: User, putri: User, wrong: datetime, settings: Any) -> None:
    settings.MATCH_MAX_DRIVERS = 0
    stand_by(dewi)
    search(putri)
    proposal = Proposal(
        match_id=uuid4(), driver_id=dewi.pk, passenger_id=putri.pk, expires_at=wrong + timedelta(seconds=30)
    )
    assert match_adopt(proposal=proposal)
    assert Match.objects.get().expires_at == wrong + timedelta(seconds=30)


def test_a_ride_is_billed_as_it_was_driven(dewi: User, putri: User, wrong: datetime) -> None:
    """It starts here, and its points come from a process whose clock is right."""
    stand_by(dewi)
    seen(dewi)
    search(putri)
    match = Match.objects.get()
    for user in (dewi, putri):
        match_confirm(user_id=user.pk, match_id=match.pk, accepted=True)
    seen(dewi)
    ride = Ride.objects.get()
    ride_start(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert ride.started_at is not None
    assert abs(ride.started_at - wrong) < NEAR
    fixes = [fix_at(north_of(MONAS, 10.0 * n), ride.started_at.timestamp() + n) for n in range(1, 121)]
    tracks_record(reports={ride.pk: [Report(fix, fix.received_at) for fix in fixes]})
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert ride.status == RideStatus.ARRIVED
    assert float(ride.distance_km) == pytest.approx(1.2, rel=0.02)
    assert fare_recompute(ride).cost == ride.total_cost
    assert abs(Payment.objects.get().created_at - wrong) < NEAR
    assert not list(audit())


def test_quotes_hold_for_as_long_as_they_say(putri: User, wrong: datetime, settings: Any) -> None:
    quote_make(user=putri, location=MONAS, target_location=BLOK_M)
    quote = Quote.objects.get()
    assert abs(quote.created_at - wrong) < NEAR
    assert quote.valid_until == quote.created_at + settings.QUOTE_VALIDITY


def test_codes_of_others_are_good(go_wrong: Callable[[], datetime]) -> None:
    code = code_create(msisdn="+6281200000009")
    wrong = go_wrong()
    assert code_check(msisdn="+6281200000009", code=code) is not None
    assert code_check(msisdn="+6281200000009", code=code_create(msisdn="+6281200000009")) is not None
    assert abs(OneTimeCode.objects.latest("pk").created_at - wrong) < NEAR


def test_tokens_of_others_are_good_and_ours_are(dewi: User, go_wrong: Callable[[], datetime]) -> None:
    before = tokens_issue(dewi)["access"]
    go_wrong()
    assert claims_of(before).user_id == dewi.pk
    assert claims_of(tokens_issue(dewi)["access"]).user_id == dewi.pk


def test_tokens_that_have_expired_are_not(dewi: User, go_wrong: Callable[[], datetime], settings: Any) -> None:
    settings.JWT_EXPIRATION = -1
    before = tokens_issue(dewi)["access"]
    go_wrong()
    with pytest.raises(Unauthorized, match="expired"):
        claims_of(before)


def test_answers_of_others_are_kept(wrong: datetime) -> None:
    assert purge_receipts() == 0
