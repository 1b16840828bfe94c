"""A person is deactivated: everything of theirs ends, and nobody waits for them."""

import pytest

from rides.models import Beacon, Finder, Match, Ride
from rides.services.people import people_to_close, person_close, person_deactivate
from rides.services.rides import ride_cancel
from rides.timers import close_deactivated
from tests.cast import book, propose, stand_by, start, told
from users.models import User

pytestmark = pytest.mark.django_db


def is_open() -> dict[str, int]:
    """What is open."""
    return {
        "beacons": Beacon.objects.filter(is_active=True).count(),
        "finders": Finder.objects.filter(status="OPEN").count(),
        "matches": Match.objects.exclude(status__in=("ACCEPTED", "REJECTED")).count(),
        "pickups": Ride.objects.filter(status="PICKUP").count(),
    }


def test_a_drivers_offers_and_beacon_end_at_once(dewi: User, putri: User) -> None:
    """The passenger hears of it, and the search goes on to the next drivers."""
    propose(dewi, putri)
    assert person_deactivate(user_id=dewi.pk)
    assert is_open() == {"beacons": 0, "finders": 1, "matches": 0, "pickups": 0}
    assert told(putri)[-1][1]["reason"] == "cancelled"
    assert not User.objects.get(pk=dewi.pk).is_active


def test_a_passengers_search_ends_at_once(dewi: User, putri: User) -> None:
    """Drivers' phones ring for nobody."""
    propose(dewi, putri)
    person_deactivate(user_id=putri.pk)
    assert is_open() == {"beacons": 1, "finders": 0, "matches": 0, "pickups": 0}


@pytest.mark.parametrize("gone", ["dewi", "putri"])
def test_a_booked_ride_ends_at_once(dewi: User, putri: User, gone: str) -> None:
    """The other side is told why, and is free."""
    ride = book(dewi, putri)
    left, stays = (dewi, putri) if gone == "dewi" else (putri, dewi)
    person_deactivate(user_id=left.pk)
    ride.refresh_from_db()
    assert (ride.status, ride.cancelled_by) == ("CANCELLED", "system")
    kind, data = told(stays)[-1]
    assert (kind, data["cancelled_by"], data["reason"]) == (
        "ride_cancelled",
        "system",
        "The other side is not available any more.",
    )


@pytest.mark.parametrize("gone", ["dewi", "putri"])
def test_a_ride_under_way_can_be_left_by_the_other(dewi: User, putri: User, gone: str) -> None:
    """It is not ended over anybody's head."""
    ride = start(dewi, putri)
    left, stays = (dewi, putri) if gone == "dewi" else (putri, dewi)
    person_deactivate(user_id=left.pk)
    assert Ride.objects.get().status == "ONGOING"
    ride_cancel(user_id=stays.pk, ride_id=ride.pk)
    assert Ride.objects.get().status == "CANCELLED"


def test_twice_changes_nothing(dewi: User, tono: User) -> None:
    """The second time there is nothing to end, and others are left alone."""
    stand_by(dewi)
    assert person_deactivate(user_id=tono.pk)
    assert is_open()["beacons"] == 1
    assert person_deactivate(user_id=dewi.pk)
    before = len(told(dewi))
    assert not person_deactivate(user_id=dewi.pk)
    person_close(user_id=dewi.pk)
    assert len(told(dewi)) == before


def test_who_was_deactivated_otherwise_is_found(dewi: User, joko: User, putri: User, sari: User) -> None:
    """By a script or an older version: the dispatcher ends what is open, and touches nobody else."""
    book(joko, sari)
    propose(dewi, putri)
    assert people_to_close(10) == set()
    User.objects.filter(pk__in=(dewi.pk, sari.pk)).update(is_active=False)
    assert people_to_close(10) == {dewi.pk, sari.pk}
    assert close_deactivated() == 2
    assert is_open() == {"beacons": 1, "finders": 1, "matches": 0, "pickups": 0}
    assert close_deactivated() == 0
