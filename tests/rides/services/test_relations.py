from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from common.errors import ValidationFailed
from rides.models import Candidate, Match, Ride
from rides.services.beacons import beacon_update
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from rides.services.payments import payment_process
from rides.services.proposals import Proposal, match_adopt
from rides.services.relations import ride_block, ride_rate
from rides.services.rides import ride_cancel
from rides.snapshots import people_of
from tests.cast import BLOK_M, MONAS, arrive, book, propose, stand_by, told
from users.models import Driver, Rating, User


@pytest.fixture
def paid(dewi: User, putri: User) -> Ride:
    ride = arrive(dewi, putri)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=0, status="ACCEPTED")
    ride.refresh_from_db()
    return ride


def test_both_sides_rate_a_ride_once(paid: Ride, dewi: User, putri: User) -> None:
    """The other side is not notified."""
    before = told(dewi), told(putri)
    ride_rate(user_id=putri.pk, ride_id=paid.pk, rating=5)
    ride_rate(user_id=dewi.pk, ride_id=paid.pk, rating=4)
    assert set(Rating.objects.values_list("rater", "rated", "stars")) == {
        (putri.pk, dewi.pk, 5), (dewi.pk, putri.pk, 4),
    }  # fmt: skip
    assert (told(dewi), told(putri)) == before
    with pytest.raises(ValidationFailed, match="rated this ride already"):
        ride_rate(user_id=putri.pk, ride_id=paid.pk, rating=1)


def test_strangers_and_latecomers_do_not_rate(paid: Ride, putri: User, tono: User) -> None:
    """A ride can be rated for seven days, by those who were on it."""
    with pytest.raises(ValidationFailed, match="no such ride of yours"):
        ride_rate(user_id=tono.pk, ride_id=paid.pk, rating=5)
    Ride.objects.update(completed_at=timezone.now() - timedelta(days=7, seconds=1))
    with pytest.raises(ValidationFailed, match="7 days"):
        ride_rate(user_id=putri.pk, ride_id=paid.pk, rating=5)


def test_only_completed_rides_are_rated(dewi: User, putri: User) -> None:
    """Neither one that is under way nor one that was cancelled."""
    ride = book(dewi, putri)
    with pytest.raises(ValidationFailed):
        ride_rate(user_id=putri.pk, ride_id=ride.pk, rating=5)
    ride_cancel(user_id=putri.pk, ride_id=ride.pk)
    with pytest.raises(ValidationFailed):
        ride_rate(user_id=putri.pk, ride_id=ride.pk, rating=5)


def search(passenger: User) -> dict[str, str]:
    """Look for a driver; return why each was or was not offered the ride."""
    finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    found = Candidate.objects.filter(finder__passenger=passenger, finder__status="OPEN")
    return dict(found.values_list("driver__full_name", "outcome"))


@pytest.mark.parametrize("side", ["driver", "passenger"])
def test_who_is_blocked_is_never_offered(paid: Ride, joko: User, putri: User, side: str) -> None:
    """Whichever side asked for it, for good; another driver is offered the ride."""
    stand_by(paid.driver)
    stand_by(joko)
    ride_block(user_id=getattr(paid, f"{side}_id"), ride_id=paid.pk)
    assert search(putri) == {"Dewi": "blocked", "Joko": "asked"}
    proposal = Proposal(match_id=uuid4(), driver_id=paid.driver_id, passenger_id=putri.pk)
    assert not match_adopt(proposal=proposal)


@pytest.mark.parametrize("side", ["driver", "passenger"])
def test_a_block_withdraws_the_open_offer(paid: Ride, joko: User, side: str) -> None:
    """Nobody else's: the other driver may still take it."""
    stand_by(joko)
    match = propose(paid.driver, paid.passenger)
    other = Match.objects.get(driver=joko)
    ride_block(user_id=getattr(paid, f"{side}_id"), ride_id=paid.pk)
    match.refresh_from_db()
    other.refresh_from_db()
    assert (match.status, match.reason, other.status) == ("REJECTED", "cancelled", "PENDING")
    assert told(paid.passenger)[-1][1]["reason"] == "cancelled"
    with pytest.raises(ValidationFailed):
        match_confirm(user_id=paid.driver_id, match_id=match.pk, accepted=True)


def test_a_stranger_blocks_nobody(paid: Ride, tono: User) -> None:
    """Only people who were paired can block each other."""
    with pytest.raises(ValidationFailed):
        ride_block(user_id=tono.pk, ride_id=paid.pk)


def test_who_may_not_drive_gets_no_offers(dewi: User, joko: User, putri: User) -> None:
    """The beacon may still be on from the day before; the search leaves the driver out, and says why to staff."""
    stand_by(dewi)
    stand_by(joko)
    Driver.objects.filter(pk=dewi.pk).update(papers_until=timezone.localdate() - timedelta(days=1))
    assert search(putri) == {"Dewi": "not_approved", "Joko": "asked"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"approval": "refused", "approval_reason": "the licence is not yours"}, "the licence is not yours"),
        ({"papers_until": timezone.localdate() - timedelta(days=1)}, "was valid until"),
        ({"approval": "pending"}, None),
    ],
)
def test_a_beacon_says_what_stands_against_it(dewi: User, change: dict[str, object], text: str | None) -> None:
    """Waiting stands against nothing without `DRIVER_APPROVAL`."""
    Driver.objects.update(**change)
    if text is None:
        beacon_update(user_id=dewi.pk, is_active=True)
        return
    with pytest.raises(ValidationFailed, match=text):
        beacon_update(user_id=dewi.pk, is_active=True)
    beacon_update(user_id=dewi.pk, is_active=False)


def test_the_cards_show_means_and_confirmed_names(paid: Ride) -> None:
    """A name that is not confirmed yet is shown to nobody."""
    User.objects.filter(pk=paid.driver_id).update(rating_sum=24, rating_count=5)
    User.objects.filter(pk=paid.passenger_id).update(name_confirmed=False)
    people = people_of(Ride.objects.get())
    assert (people["driver"].rating, people["passenger"].rating) == (4.8, None)
    assert (people["driver"].full_name, people["passenger"].full_name) == ("Dewi", "")
