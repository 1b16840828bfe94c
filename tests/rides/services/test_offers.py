"""Offers: hedged where a device does not confirm, and what answers and silence mean for a driver."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events.models import OutboxEvent
from rides.matching import RECEIPTS_EXPECTED
from rides.models import Beacon, Candidate, DeviceReceipt, Finder, Match
from rides.services.beacons import beacon_update
from rides.services.finders import finder_continue, finder_update
from rides.services.matches import match_confirm, match_expire
from rides.services.offers import offers_receive
from tests.cast import BLOK_M, MONAS, make_driver, north_of, open_finder, stand_by
from users.models import User


@pytest.fixture
def drivers(db: None, settings: Any) -> list[User]:
    """Four drivers, the first the nearest, whose devices confirm; an attempt asks one."""
    settings.MATCH_MAX_DRIVERS = 1
    drivers = [make_driver(f"+62812000001{n}", f"Driver {n}") for n in range(4)]
    for n, driver in enumerate(drivers):
        stand_by(driver, north_of(MONAS, 100 * n))
        DeviceReceipt.objects.create(user=driver, seq=1, received_at=timezone.now())
    return drivers


def search(passenger: User) -> Finder:
    finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    return open_finder(passenger)


def let_pass(finder: Finder, seconds: float) -> None:
    """Move everything about a search into the past, and do what is due."""
    for row in (finder, *Match.objects.filter(finder=finder)):
        row.refresh_from_db()
        for name in ("due_at", "attempt_ends_at", "expires_at", "receipt_due_at"):
            if getattr(row, name, None):
                setattr(row, name, getattr(row, name) - timedelta(seconds=seconds))
        row.save()
    for match in Match.objects.filter(finder=finder, expires_at__lte=timezone.now()):
        match_expire(match_id=match.pk)
    finder_continue(finder_id=finder.pk)
    finder.refresh_from_db()


def offered(finder: Finder) -> list[str]:
    """The names of the drivers who got an offer, in order."""
    matches = Match.objects.filter(finder=finder).order_by("created_at")
    return [match.driver.full_name for match in matches.select_related("driver")]


def unreachable() -> list[dict[str, Any]]:
    return [event.data for event in OutboxEvent.objects.filter(subject="user.unreachable").order_by("id")]


def test_the_next_driver_is_asked_beside_a_silent_device(drivers: list[User], putri: User) -> None:
    """Three seconds without a receipt, and the next driver has an offer too; the first one stays open."""
    finder = search(putri)
    let_pass(finder, 2.5)
    assert offered(finder) == ["Driver 0"]
    let_pass(finder, 0.6)
    assert offered(finder) == ["Driver 0", "Driver 1"]
    first = Match.objects.get(driver=drivers[0])
    assert first.status == "PENDING"
    assert unreachable() == [
        {
            "user_id": str(drivers[0].pk),
            "match_id": str(first.pk),
            "expires_at": unreachable()[0]["expires_at"],
        }
    ]


def test_silent_devices_are_passed_one_after_the_other(drivers: list[User], putri: User) -> None:
    """Every three seconds one more driver, and none twice."""
    finder = search(putri)
    for _ in range(4):
        let_pass(finder, 3.1)
    assert offered(finder) == ["Driver 0", "Driver 1", "Driver 2", "Driver 3"]
    assert finder.attempts == 1
    assert len(unreachable()) == 4


def test_a_late_driver_may_still_accept(drivers: list[User], putri: User) -> None:
    """The offer that was hedged stays good."""
    finder = search(putri)
    let_pass(finder, 3.1)
    first = Match.objects.get(driver=drivers[0])
    match_confirm(user_id=drivers[0].pk, match_id=first.pk, accepted=True)
    match_confirm(user_id=putri.pk, match_id=first.pk, accepted=True)
    assert dict(Match.objects.values_list("driver__full_name", "reason")) == {"Driver 0": "", "Driver 1": "taken"}


def test_a_receipt_in_time_hedges_nothing(drivers: list[User], putri: User) -> None:
    """A device that has confirmed leaves its driver the whole time to answer."""
    finder = search(putri)
    match = Match.objects.get()
    offers_receive(match_ids=[match.pk], driver_id=drivers[0].pk, received_at=timezone.now())
    let_pass(finder, 10)
    assert offered(finder) == ["Driver 0"]
    assert unreachable() == []


def test_a_receipt_of_somebody_else_counts_for_nothing(drivers: list[User], putri: User, tono: User) -> None:
    """Only the driver's own device confirms an offer."""
    finder = search(putri)
    match = Match.objects.get()
    for stranger in (putri, tono, drivers[1]):
        offers_receive(match_ids=[match.pk], driver_id=stranger.pk, received_at=timezone.now())
    let_pass(finder, 3.1)
    assert offered(finder) == ["Driver 0", "Driver 1"]


@pytest.mark.parametrize("history", ["never", "long ago"])
def test_an_app_that_never_confirms_has_received(drivers: list[User], putri: User, history: str) -> None:
    """Older apps know no receipts: their drivers have the whole time too."""
    if history == "never":
        DeviceReceipt.objects.all().delete()
    else:
        DeviceReceipt.objects.update(received_at=timezone.now() - RECEIPTS_EXPECTED - timedelta(seconds=1))
    finder = search(putri)
    let_pass(finder, 10)
    assert offered(finder) == ["Driver 0"]


def test_an_answer_is_a_receipt(drivers: list[User], putri: User) -> None:
    """A driver who has answered has seen the offer."""
    finder = search(putri)
    match = Match.objects.get()
    match_confirm(user_id=drivers[0].pk, match_id=match.pk, accepted=True)
    let_pass(finder, 10)
    assert offered(finder) == ["Driver 0"]
    match.refresh_from_db()
    assert match.received_at == match.answered_at


def test_the_next_attempt_begins_when_all_have_answered(drivers: list[User], putri: User) -> None:
    """Hedged offers included: while one is open the attempt goes on."""
    finder = search(putri)
    let_pass(finder, 3.1)
    for driver in drivers[:2]:
        match_confirm(user_id=driver.pk, match_id=Match.objects.get(driver=driver).pk, accepted=False)
        let_pass(finder, 0)
    assert offered(finder) == ["Driver 0", "Driver 1", "Driver 2"]
    assert finder.attempts == 2


def test_drivers_who_come_later_are_asked_while_there_is_room(dewi: User, joko: User, putri: User) -> None:
    """An attempt that found fewer drivers than it may ask looks again every few seconds."""
    stand_by(dewi)
    finder = search(putri)
    stand_by(joko)
    let_pass(finder, 3.1)
    assert offered(finder) == ["Dewi", "Joko"]
    assert finder.attempts == 1
    outcomes = dict(Candidate.objects.filter(attempt=1).values_list("driver__full_name", "outcome"))
    assert outcomes == {"Dewi": "asked", "Joko": "asked"}


def test_a_declining_driver_makes_no_room(drivers: list[User], putri: User) -> None:
    """An attempt asks as many as it may, whatever they answer."""
    finder = search(putri)
    let_pass(finder, 3.1)
    match_confirm(user_id=drivers[1].pk, match_id=Match.objects.get(driver=drivers[1]).pk, accepted=False)
    let_pass(finder, 5)
    assert offered(finder) == ["Driver 0", "Driver 1"]


def test_nobody_is_asked_twice_in_a_search(drivers: list[User], putri: User) -> None:
    """Three attempts, three drivers; then the search ends."""
    finder = search(putri)
    DeviceReceipt.objects.all().delete()
    Match.objects.update(receipt_due_at=None)
    for _ in range(4):
        let_pass(finder, 30.1)
    assert offered(finder) == ["Driver 0", "Driver 1", "Driver 2"]
    assert finder.status == "NO_DRIVER"


def test_without_matching_of_our_own_nothing_is_hedged(drivers: list[User], putri: User, settings: Any) -> None:
    """With `MATCH_MAX_DRIVERS=0` other services choose."""
    settings.MATCH_MAX_DRIVERS = 0
    finder = search(putri)
    let_pass(finder, 3.1)
    assert offered(finder) == []


def test_lapsed_offers_are_counted_and_an_answer_clears_them(dewi: User, putri: User) -> None:
    """Silence puts a driver behind; a no is as good as a yes."""
    stand_by(dewi)
    for lapsed in (1, 2):
        search(putri)
        match_expire(match_id=Match.objects.get(status="PENDING").pk)
        assert Beacon.objects.get(driver=dewi).ignored_offers == lapsed
        finder_update(user_id=putri.pk, is_active=False)
    search(putri)
    match_confirm(user_id=dewi.pk, match_id=Match.objects.get(status="PENDING").pk, accepted=False)
    assert Beacon.objects.get(driver=dewi).ignored_offers == 0


def test_only_silence_counts_against_a_driver(dewi: User, putri: User) -> None:
    """Offers that were withdrawn, or that the passenger let lapse, are not the driver's doing."""
    stand_by(dewi)
    search(putri)
    finder_update(user_id=putri.pk, is_active=False)
    search(putri)
    match = Match.objects.get(status="PENDING")
    match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=True)
    assert match_expire(match_id=match.pk)
    assert not match_expire(match_id=match.pk)
    search(putri)
    beacon_update(user_id=dewi.pk, is_active=False)
    assert Beacon.objects.get(driver=dewi).ignored_offers == 0
