"""What the database itself forbids, whatever the code does."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from rides.models import Finder, Match, Payment, Ride
from tests.cast import arrive, book, propose
from users.models import User


def clone(row: Match | Ride | Finder, **changes: object) -> None:
    """Write a copy of a row with another key."""
    import uuid

    row.pk = uuid.uuid4()
    row._state.adding = True
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(force_insert=True)


def refused(act: Callable[[], object], constraint: str) -> None:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        act()
    columns = {
        "one_current_ride_per_driver": "rides_ride.driver_id",
        "one_current_ride_per_passenger": "rides_ride.passenger_id",
        "one_open_finder": "rides_finder.passenger_id",
        "one_accepted_match": "rides_match.finder_id",
        "driver_asked_once_per_finder": "rides_match.finder_id, rides_match.driver_id",
    }
    name = constraint if connection.vendor == "postgresql" else columns.get(constraint, constraint)
    assert name in str(caught.value)


def test_a_driver_has_one_current_ride(dewi: User, joko: User, putri: User, sari: User) -> None:
    ride = book(dewi, putri)
    match = propose(joko, sari)
    refused(lambda: clone(ride, match=match, passenger=sari), "one_current_ride_per_driver")


@pytest.mark.parametrize("status", ["PICKUP", "ONGOING", "ARRIVED"])
def test_a_passenger_has_one_current_ride_until_it_is_paid(dewi: User, joko: User, putri: User, status: str) -> None:
    match = propose(joko, putri)
    Match.objects.update(status="REJECTED")
    Finder.objects.update(status="CANCELLED")
    ride = book(dewi, putri)
    Ride.objects.update(status=status)
    refused(lambda: clone(ride, match=match, driver=joko), "one_current_ride_per_passenger")


@pytest.mark.parametrize("status", ["ARRIVED", "COMPLETED", "CANCELLED"])
def test_a_driver_is_free_once_he_has_arrived(dewi: User, putri: User, sari: User, status: str) -> None:
    book(dewi, putri)
    Ride.objects.update(status=status)
    book(dewi, sari)
    assert Ride.objects.count() == 2


def test_a_passenger_has_one_open_search(dewi: User, putri: User) -> None:
    finder = propose(dewi, putri).finder
    refused(lambda: clone(finder), "one_open_finder")


def test_a_driver_is_asked_once_per_search(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    refused(lambda: clone(match), "driver_asked_once_per_finder")


def test_a_search_has_one_accepted_match(dewi: User, joko: User, putri: User) -> None:
    ride = book(dewi, putri)
    refused(lambda: clone(ride.match, driver=joko), "one_accepted_match")


def test_money_adds_up_and_states_are_known(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1)
    refused(lambda: Payment.objects.update(admin_fee=0), "payment_adds_up")
    refused(lambda: Payment.objects.update(status="MAYBE"), "payment_status_known")
    refused(lambda: Ride.objects.update(adjusted_cost=ride.total_cost + 1), "ride_adjusted_at_most_total")
    refused(lambda: Ride.objects.update(adjustment_factor=1.1), "ride_factor_0_to_1")
    refused(lambda: Ride.objects.update(status="FLYING"), "ride_status_known")
    refused(lambda: Match.objects.update(passenger=dewi), "match_of_two_people")
    assert ride.created_at <= timezone.now()
