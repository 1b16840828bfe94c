from typing import Any

import msgspec
import pytest
from django.utils import timezone

from rides.models import Ride
from rides.selectors import BACKLOG, current_ride, ride_detail, ride_in_state, ride_under_way, rides_of, user_state
from rides.services.finders import finder_update
from rides.services.payments import payment_process
from rides.services.rides import ride_arrived, ride_cancel, ride_start
from tests.cast import BLOK_M, MONAS, arrive, book, propose, stand_by, start
from users.models import User


def state(user: User) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(user_state(user.pk, user.role))
    return data


def test_the_state_of_somebody_new_is_empty(dewi: User, putri: User) -> None:
    nothing: dict[str, Any] = {"proposals": [], "ride": None, "payment": None, "last_ride": None}
    driver, passenger = state(dewi), state(putri)
    assert driver == {"beacon": {"is_active": False}, "finder": None, **nothing}
    assert passenger == {"beacon": None, "finder": {"is_active": False}, **nothing}


def test_a_search_and_its_proposals_are_shown_to_those_concerned(dewi: User, joko: User, putri: User) -> None:
    match = propose(dewi, putri)
    assert state(dewi)["beacon"] == {"is_active": True}
    finder = state(putri)["finder"]
    assert finder["is_active"]
    assert finder["location"] == {"latitude": MONAS.latitude, "longitude": MONAS.longitude}
    assert finder["target_location"]["latitude"] == BLOK_M.latitude
    for user in (dewi, putri):
        (proposal,) = state(user)["proposals"]
        assert proposal["match_id"] == str(match.pk)
        assert proposal["expires_at"]
    assert state(joko)["proposals"] == []


def test_a_ride_is_shown_from_the_pick_up_to_its_payment(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    assert state(dewi)["ride"]["ride_id"] == state(putri)["ride"]["ride_id"] == str(ride.pk)
    ride_cancel(user_id=putri.pk, ride_id=ride.pk)
    assert state(putri)["ride"] is None
    assert state(putri)["last_ride"]["status"] == "CANCELLED"


def test_a_ride_that_waits_for_payment_is_the_passengers_but_not_the_drivers(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1)
    assert state(putri)["ride"]["status"] == "ARRIVED"
    assert state(dewi)["ride"] is None
    assert state(dewi)["last_ride"]["ride_id"] == str(ride.pk)
    assert state(dewi)["payment"] == state(putri)["payment"]
    assert state(putri)["payment"]["total_cost"] == 3000
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=3000, status="ACCEPTED")
    for user in (dewi, putri):
        assert state(user)["payment"] is None
        assert state(user)["last_ride"]["status"] == "COMPLETED"


def test_a_new_owner_of_a_number_sees_current_rides_only(dewi: User, putri: User) -> None:
    """What is under way goes on on the new device; what is over stays hidden until the name is confirmed."""
    over = arrive(dewi, putri)
    User.objects.update(history_from=timezone.now())
    assert state(putri)["ride"]["ride_id"] == str(over.pk)
    payment_process(user_id=putri.pk, ride_id=over.pk, total_cost=0, status="ACCEPTED")
    for user in (dewi, putri):
        assert state(user)["last_ride"] is None
        assert not rides_of(user.pk)
    ride = book(dewi, putri)
    assert list(rides_of(putri.pk)) == [ride]
    User.objects.update(history_from=None)
    assert len(rides_of(putri.pk)) == 2


def test_a_stranger_sees_nothing(dewi: User, putri: User, tono: User) -> None:
    start(dewi, putri)
    assert state(tono)["ride"] is None
    assert current_ride(tono.pk, tono.role) is None
    assert not rides_of(tono.pk).exists()


def test_positions_are_shared_from_the_booking_to_the_arrival(dewi: User, putri: User, tono: User) -> None:
    assert ride_under_way(dewi.pk) is None
    ride = book(dewi, putri)
    mine, theirs = ride_under_way(dewi.pk), ride_under_way(putri.pk)
    assert mine is not None
    assert theirs is not None
    assert (mine.ride_id, mine.other_id, mine.is_driver) == (ride.pk, putri.pk, True)
    assert (theirs.ride_id, theirs.other_id, theirs.is_driver) == (ride.pk, dewi.pk, False)
    assert ride_under_way(tono.pk) is None


def test_the_state_tells_whose_ride_positions_belong_to(dewi: User, putri: User) -> None:
    """What a state says and what the database says are the same, wherever a ride is."""

    def told(user: User) -> Any:
        found = ride_in_state(user.pk, user_state(user.pk, user.role))
        assert found == ride_under_way(user.pk)
        return found and (found.status, found.is_driver, found.ended_at is not None)

    assert (told(dewi), told(putri)) == (None, None)
    ride = book(dewi, putri)
    assert (told(dewi), told(putri)) == (("PICKUP", True, False), ("PICKUP", False, False))
    ride_start(user_id=dewi.pk, ride_id=ride.pk)
    assert (told(dewi), told(putri)) == (("ONGOING", True, False), ("ONGOING", False, False))
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    assert (told(dewi), told(putri)) == (("ARRIVED", True, True), None)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=0, status="ACCEPTED")
    assert (told(dewi), told(putri)) == (("COMPLETED", True, True), None)
    ride_cancel(user_id=putri.pk, ride_id=book(dewi, putri).pk)
    assert (told(dewi), told(putri)) == (("COMPLETED", True, True), None)
    Ride.objects.filter(pk=ride.pk).update(arrived_at=timezone.now() - BACKLOG)
    assert (told(dewi), told(putri)) == (None, None)
    Ride.objects.exclude(pk=ride.pk).delete()
    assert (told(dewi), told(putri)) == (None, None)


def test_a_ride_in_detail_has_ledger_receipt_and_payment(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1.5, factor=0.9)
    detail = ride_detail(ride, putri.pk).to_data()
    assert [(round(entry["distance_km"], 6), entry["cost"]) for entry in detail["ledger"]] == [(1, 3000), (0.5, 1500)]
    assert detail["payment"]["total_cost"] == 4050
    assert [(line["label"], line["amount"]) for line in detail["lines"]] == [
        ("1.500 km at 3000", 4500),
        ("Times 0.9, by the driver", -450),
    ]
    assert detail["not_counted"] == []
    assert detail["track_url"].endswith(f"/api/rides/{ride.pk}/track/")


@pytest.mark.django_db(transaction=True)
def test_the_state_is_read_at_one_moment_and_holds_no_writer_up(dewi: User, putri: User) -> None:
    from django.db import connection

    stand_by(dewi)
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    assert len(state(putri)["proposals"]) == 1
    assert not connection.in_atomic_block
