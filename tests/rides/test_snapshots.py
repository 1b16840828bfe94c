from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from rides.models import Ride
from rides.snapshots import open_match, payment_snapshot, people_of, ride_card, ride_snapshot
from tests.cast import arrive, book, propose
from users.models import User

RIDE = {
    "ride_id", "match_id", "driver_id", "passenger_id", "status", "location", "target_location", "distance_km",
    "total_cost", "adjustment_factor", "adjusted_cost", "created_at", "started_at", "arrived_at", "completed_at",
}  # fmt: skip
MATCH = {
    "match_id", "driver_id", "passenger_id", "location", "driver_location", "target_location", "match_status",
    "distance_km", "eta_seconds", "expires_at",
}  # fmt: skip
PAYMENT = {"payment_id", "ride_id", "status", "total_cost", "admin_fee", "driver_payout", "qr_code_url"}


def test_a_match_has_the_fields_of_the_contract(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    for user in (dewi, putri):
        assert set(open_match(match, user.pk).to_data()) == MATCH


def test_a_ride_has_the_fields_of_the_contract(dewi: User, putri: User) -> None:
    data = ride_snapshot(arrive(dewi, putri, tracked_km=1.25, factor=0.5)).to_data()
    assert set(data) == RIDE
    assert data["distance_km"] == pytest.approx(1.25)
    assert (data["total_cost"], data["adjustment_factor"], data["adjusted_cost"]) == (3750, 0.5, 1875)


def test_a_payment_has_the_fields_of_the_contract_and_its_parties(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri)
    assert set(payment_snapshot(ride.payment, ride).to_data()) == PAYMENT | {"driver_id", "passenger_id"}


CARDS = {
    "driver": {"full_name": "Dewi", "vehicle_type": "motorcycle", "vehicle_plate": "B 1234 XYZ"},
    "passenger": {"full_name": "Putri"},
}


def test_the_people_of_a_ride_know_each_other(dewi: User, putri: User) -> None:
    """Name, kind of vehicle and plate of who comes, and the name of who waits; no phone number."""
    data = ride_card(book(dewi, putri), putri.pk).to_data()
    assert set(data) == RIDE | set(CARDS)
    assert {name: data[name] for name in CARDS} == CARDS


def test_a_ride_keeps_the_vehicle_that_came(dewi: User, putri: User) -> None:
    """Another vehicle later changes no past ride."""
    ride = book(dewi, putri)
    dewi.driver.delete()
    assert people_of(Ride.objects.get(pk=ride.pk))["driver"].vehicle_plate == "B 1234 XYZ"


@pytest.mark.parametrize("over", ["arrived_at", "cancelled_at"])
def test_people_are_forgotten_some_time_after_the_ride(dewi: User, putri: User, settings: Any, over: str) -> None:
    """With `CARD_RETENTION` over, answers show nobody; a ride that goes on keeps its people however long it takes."""
    ride = book(dewi, putri)
    ride.created_at -= timedelta(days=30)
    assert set(people_of(ride)) == set(CARDS)
    setattr(ride, over, timezone.now() - timedelta(days=6, hours=23))
    assert set(people_of(ride)) == set(CARDS)
    setattr(ride, over, timezone.now() - timedelta(days=7, seconds=1))
    assert people_of(ride) == {}
    assert set(ride_card(ride, putri.pk).to_data()) == RIDE
    settings.CARD_RETENTION = timedelta(days=8)
    assert set(people_of(ride)) == set(CARDS)
