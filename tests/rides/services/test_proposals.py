"""Proposals of other services: which become a match, and that all others change nothing."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from common.threads import in_read_thread, in_write_thread
from events.models import OutboxEvent
from rides.models import Beacon, Candidate, Finder, Match, Ride
from rides.positions import positions
from rides.services.beacons import beacon_update
from rides.services.finders import finder_continue, finder_update
from rides.services.matches import match_confirm
from rides.services.proposals import LONGEST_LIFE, Proposal, match_adopt
from tests.cast import BLOK_M, MONAS, book, north_of, open_finder, stand_by
from users.models import User

pytestmark = pytest.mark.django_db

MATCH = UUID(int=5)


@pytest.fixture(autouse=True)
def _others_do_the_matching(settings: Any) -> None:
    settings.MATCH_MAX_DRIVERS = 0


def look(passenger: User) -> Finder:
    finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    return open_finder(passenger)


def adopt(driver: User, passenger: User, match_id: UUID = MATCH, **fields: Any) -> bool:
    """Adopt what a service says."""
    proposal = Proposal(match_id=match_id, driver_id=driver.pk, passenger_id=passenger.pk, **fields)
    return match_adopt(proposal=proposal)


def everything() -> list[Any]:
    """All that a proposal could change."""
    tables = (Match, Finder, Candidate, Ride, Beacon, OutboxEvent)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def test_a_proposal_that_fits_becomes_a_match_of_the_search(dewi: User, putri: User) -> None:
    stand_by(dewi, north_of(MONAS, 500))
    finder = look(putri)
    told = OutboxEvent.objects.count()
    assert adopt(dewi, putri)
    match = Match.objects.get()
    assert (match.pk, match.finder, match.driver, match.passenger) == (MATCH, finder, dewi, putri)
    assert (match.location, match.target_location) == (MONAS, BLOK_M)
    assert match.driver_location == north_of(MONAS, 500)
    assert match.distance_km == pytest.approx(0.5, abs=1e-4)
    assert match.status == "PENDING"
    assert OutboxEvent.objects.count() == told  # both are told by what the service said itself


def test_such_a_match_is_confirmed_and_driven(dewi: User, putri: User) -> None:
    stand_by(dewi)
    look(putri)
    adopt(dewi, putri)
    for user in (putri, dewi):
        match_confirm(user_id=user.pk, match_id=MATCH, accepted=True)
    assert Ride.objects.get(match=MATCH).status == "PICKUP"


def test_the_driver_is_where_the_service_says_else_where_he_was_last_seen(
    dewi: User, joko: User, sari: User, putri: User
) -> None:
    stand_by(dewi, north_of(MONAS, 500))
    Beacon.objects.create(driver=joko, is_active=True, changed_at=timezone.now())  # nobody knows where
    look(putri)
    look(sari)
    assert adopt(dewi, putri, uuid4(), driver_location=north_of(MONAS, 2000))
    assert adopt(dewi, sari, uuid4())
    assert adopt(joko, putri, uuid4())
    found = {(match.driver, match.passenger): match for match in Match.objects.all()}
    assert found[dewi, putri].driver_location == north_of(MONAS, 2000)
    assert found[dewi, putri].distance_km == pytest.approx(2, abs=1e-4)
    assert found[dewi, sari].driver_location == north_of(MONAS, 500)
    assert (found[joko, putri].driver_location, found[joko, putri].distance_km) == (MONAS, 0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, timedelta(seconds=30)), (timedelta(minutes=5), timedelta(minutes=5)), (timedelta(days=9), LONGEST_LIFE)],
)
def test_it_lives_as_long_as_the_service_says_up_to_a_limit(
    dewi: User, putri: User, given: timedelta | None, kept: timedelta
) -> None:
    stand_by(dewi)
    look(putri)
    now = timezone.now()
    assert adopt(dewi, putri, expires_at=None if given is None else now + given)
    lives = Match.objects.get().expires_at - now
    assert kept <= lives < kept + timedelta(seconds=10)


def test_the_search_waits_for_its_answer(dewi: User, putri: User) -> None:
    stand_by(dewi)
    finder = look(putri)
    assert adopt(dewi, putri, expires_at=timezone.now() + timedelta(minutes=5))
    match, finder = Match.objects.get(), open_finder(putri)
    assert finder.attempt_ends_at == match.expires_at


def test_the_search_is_not_cut_short_by_a_proposal_that_ends_sooner(dewi: User, putri: User) -> None:
    stand_by(dewi)
    before = look(putri).attempt_ends_at
    assert adopt(dewi, putri, expires_at=timezone.now() + timedelta(seconds=3))
    assert open_finder(putri).attempt_ends_at == before


def test_it_is_still_waited_for_when_another_driver_is_found(
    dewi: User, joko: User, putri: User, settings: Any
) -> None:
    stand_by(dewi)
    finder = look(putri)
    adopt(dewi, putri, expires_at=timezone.now() + timedelta(minutes=5))
    settings.MATCH_MAX_DRIVERS = 2
    stand_by(joko)
    Finder.objects.update(due_at=timezone.now())
    finder_continue(finder_id=finder.pk)
    assert Match.objects.filter(driver=joko).exists()
    assert open_finder(putri).attempt_ends_at >= Match.objects.get(driver=dewi).expires_at


def test_the_next_drivers_are_asked_when_it_is_declined(dewi: User, joko: User, putri: User, settings: Any) -> None:
    stand_by(dewi)
    finder = look(putri)
    adopt(dewi, putri, expires_at=timezone.now() + timedelta(minutes=5))
    match_confirm(user_id=dewi.pk, match_id=MATCH, accepted=False)
    settings.MATCH_MAX_DRIVERS = 1
    stand_by(joko)
    finder_continue(finder_id=finder.pk)
    assert Match.objects.exclude(pk=MATCH).get().driver == joko


def test_staff_see_that_a_service_asked(dewi: User, joko: User, putri: User) -> None:
    stand_by(dewi, age=2)
    finder = look(putri)
    Candidate.objects.create(
        finder=finder, driver=dewi, attempt=finder.attempts, distance_km=7, position_age_s=7, outcome="not_connected",
        considered_at=timezone.now(),
    )  # fmt: skip
    adopt(dewi, putri)
    candidate = Candidate.objects.get()
    assert candidate.outcome == "asked_by_a_service"
    assert candidate.distance_km == 0
    assert candidate.position_age_s == pytest.approx(2, abs=1)


def riding(dewi: User, sari: User, settings: Any) -> None:
    settings.MATCH_MAX_DRIVERS = 1
    book(dewi, sari)


def searched_before(dewi: User, putri: User) -> None:
    finder_update(user_id=putri.pk, is_active=False)


def asked_before(dewi: User, putri: User) -> None:
    adopt(dewi, putri, uuid4())
    match_confirm(user_id=dewi.pk, match_id=Match.objects.get().pk, accepted=False)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda p: p.said.update(expires_at=timezone.now()), id="over"),
        pytest.param(lambda p: p.said.update(passenger=p.tono), id="who looks for no driver"),
        pytest.param(lambda p: searched_before(p.dewi, p.putri), id="looks no more"),
        pytest.param(lambda p: p.said.update(driver=p.joko), id="no beacon"),
        pytest.param(lambda p: beacon_update(user_id=p.dewi.pk, is_active=False), id="beacon off"),
        pytest.param(lambda p: p.said.update(driver=p.tono), id="no driver by role"),
        pytest.param(lambda p: p.said.update(driver=User(pk=UUID(int=9))), id="nobody"),
        pytest.param(lambda p: p.said.update(driver=p.putri, passenger=p.dewi), id="the wrong way round"),
        pytest.param(lambda p: p.said.update(driver=p.putri), id="with herself"),
        pytest.param(lambda p: User.objects.filter(pk=p.dewi.pk).update(is_active=False), id="deactivated"),
        pytest.param(lambda p: riding(p.dewi, p.sari, p.settings), id="on a ride"),
        pytest.param(lambda p: asked_before(p.dewi, p.putri), id="asked before"),
        pytest.param(lambda p: adopt(p.dewi, p.putri, uuid4()), id="asked just now"),
        pytest.param(lambda p: (look(p.sari), adopt(p.dewi, p.sari)), id="a match id that is taken"),
    ],
)
def test_a_proposal_that_does_not_fit_changes_nothing(
    change: Callable[["Offer"], object], request: pytest.FixtureRequest, settings: Any
) -> None:
    proposal = Offer(request, settings)
    stand_by(proposal.dewi)
    look(proposal.putri)
    change(proposal)
    before = everything()
    said = dict(proposal.said)
    assert not adopt(said.pop("driver"), said.pop("passenger"), said.pop("match_id"), **said)
    assert everything() == before


class Offer:
    """What a service says; it would fit, if nothing were changed."""

    def __init__(self, request: pytest.FixtureRequest, settings: Any) -> None:
        self.settings = settings
        self.dewi, self.joko, self.putri, self.sari, self.tono = (
            request.getfixturevalue(name) for name in ("dewi", "joko", "putri", "sari", "tono")
        )
        self.said: dict[str, Any] = {"driver": self.dewi, "passenger": self.putri, "match_id": MATCH}


def test_unchanged_it_would_fit(request: pytest.FixtureRequest, settings: Any) -> None:
    proposal = Offer(request, settings)
    stand_by(proposal.dewi)
    look(proposal.putri)
    assert adopt(proposal.dewi, proposal.putri)


def test_the_same_proposal_twice_is_one_match(dewi: User, putri: User) -> None:
    stand_by(dewi)
    look(putri)
    assert adopt(dewi, putri)
    before = everything()
    assert not adopt(dewi, putri, expires_at=timezone.now() + timedelta(minutes=5))
    assert everything() == before


def test_a_misspelt_field_is_an_error() -> None:
    with pytest.raises(TypeError, match="expire_at"):
        Proposal(match_id=MATCH, driver_id=MATCH, passenger_id=MATCH, expire_at=None)  # type: ignore[call-arg]


def test_a_driver_who_is_not_connected_may_be_asked_by_a_service(dewi: User, putri: User) -> None:
    stand_by(dewi, age=3600)
    positions().forget(timezone.now().timestamp())
    look(putri)
    assert adopt(dewi, putri)


@pytest.mark.django_db(transaction=True)
async def test_of_many_services_at_once_one_has_the_driver_in_a_search(dewi: User, putri: User) -> None:
    await in_write_thread(stand_by, dewi)
    await in_write_thread(look, putri)
    outcomes = await asyncio.gather(*(in_write_thread(adopt, dewi, putri, uuid4()) for _ in range(8)))
    assert sorted(outcomes) == [False] * 7 + [True]
    assert await in_read_thread(Match.objects.count) == 1


@pytest.mark.django_db(transaction=True)
async def test_a_proposal_that_comes_as_the_driver_is_booked_fits_before_or_not_at_all(
    dewi: User, putri: User, sari: User
) -> None:
    await in_write_thread(stand_by, dewi)
    for passenger in (putri, sari):
        await in_write_thread(look, passenger)
    first, second = uuid4(), uuid4()
    await in_write_thread(adopt, dewi, putri, first)
    await in_write_thread(match_confirm, user_id=putri.pk, match_id=first, accepted=True)
    _, adopted = await asyncio.gather(
        in_write_thread(match_confirm, user_id=dewi.pk, match_id=first, accepted=True),
        in_write_thread(adopt, dewi, sari, second),
    )
    rivals = await in_read_thread(lambda: list(Match.objects.filter(pk=second).values_list("status", "reason")))
    assert rivals == ([("REJECTED", "taken")] if adopted else [])
