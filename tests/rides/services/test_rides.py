from uuid import uuid4

import pytest

from common.errors import ValidationFailed
from rides.models import LedgerEntry, Payment, Ride, TrackPoint
from rides.services.rides import ride_arrived, ride_cancel, ride_cancel_by_staff, ride_finish_by_staff, ride_start
from tests.cast import MONAS, arrive, backdate, book, drive, north_of, see, stand_by, start, told, told_types
from users.models import User


def test_a_ride_starts_where_the_driver_is(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    stand_by(dewi, north_of(MONAS, 90))
    ride_start(user_id=dewi.pk, ride_id=ride.pk, latitude=0, longitude=0)
    ride.refresh_from_db()
    assert ride.status == "ONGOING"
    point = TrackPoint.objects.get()
    assert (point.latitude, point.timestamp) == (north_of(MONAS, 90).latitude, ride.started_at)
    assert told(dewi)[-1] == told(putri)[-1]
    kind, data = told(putri)[-1]
    assert (kind, data["status"], data["total_cost"], data["distance_km"]) == ("ride_start", "ONGOING", 0, 0.0)


def test_a_ride_does_not_start_far_from_the_pick_up(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    stand_by(dewi, north_of(MONAS, 101))
    with pytest.raises(ValidationFailed, match="101 m from the passenger; the limit is 100 m"):
        ride_start(user_id=dewi.pk, ride_id=ride.pk, latitude=MONAS.latitude, longitude=MONAS.longitude)
    ride.refresh_from_db()
    assert ride.status == "PICKUP"


def test_where_the_passenger_is_counts_more_than_the_pick_up(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    see(putri, north_of(MONAS, 300))
    with pytest.raises(ValidationFailed, match="300 m"):
        ride_start(user_id=dewi.pk, ride_id=ride.pk)
    stand_by(dewi, north_of(MONAS, 300))
    ride_start(user_id=dewi.pk, ride_id=ride.pk)


def test_an_old_position_of_the_passenger_does_not_count(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    see(putri, north_of(MONAS, 300), 61)
    ride_start(user_id=dewi.pk, ride_id=ride.pk)


def test_a_driver_whose_position_is_not_known_cannot_start(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    stand_by(dewi, age=61)
    with pytest.raises(ValidationFailed, match="position is not known"):
        ride_start(user_id=dewi.pk, ride_id=ride.pk)


def test_the_arrival_books_the_rest_and_asks_for_payment(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2.5, factor=0.9)
    assert ride.status == "ARRIVED"
    assert float(ride.distance_km) == pytest.approx(2.5)
    assert (ride.total_cost, ride.adjusted_cost) == (7500, 6750)
    assert sum(entry.cost for entry in LedgerEntry.objects.all()) == 7500
    payment = Payment.objects.get(ride=ride)
    assert (payment.status, payment.total_cost, payment.admin_fee, payment.driver_payout) == (
        "PENDING",
        6750,
        337,
        6413,
    )
    for user in (dewi, putri):
        (arrived, ride_data), (asks, bill) = told(user)[-2:]
        assert (arrived, asks) == ("ride_arrived", "payment_process")
        assert ride_data["distance_km"] == pytest.approx(2.5)
        assert (ride_data["total_cost"], ride_data["adjusted_cost"]) == (7500, 6750)
        assert (bill["status"], bill["total_cost"], bill["ride_id"]) == ("PENDING", 6750, str(ride.pk))
        assert bill["qr_code_url"].endswith(f"/api/payments/{payment.pk}/qr.svg")


def test_a_ride_that_went_nowhere_costs_nothing(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri)
    assert (ride.total_cost, ride.payment.total_cost, ride.ledger.count()) == (0, 0, 0)


@pytest.mark.parametrize("by", ["driver", "passenger"])
def test_both_sides_may_cancel_before_the_start(dewi: User, putri: User, by: str) -> None:
    ride = book(dewi, putri)
    user = dewi if by == "driver" else putri
    ride_cancel(user_id=user.pk, ride_id=ride.pk, reason="rain")
    ride.refresh_from_db()
    assert (ride.status, ride.cancelled_by, ride.cancel_reason) == ("CANCELLED", by, "rain")
    assert told(dewi)[-1] == told(putri)[-1]
    assert told(dewi)[-1][1]["cancelled_by"] == by


def test_nobody_cancels_a_ride_under_way_but_staff(dewi: User, putri: User) -> None:
    ride = start(dewi, putri)
    for user in (dewi, putri):
        with pytest.raises(ValidationFailed, match="ONGOING cannot be cancelled"):
            ride_cancel(user_id=user.pk, ride_id=ride.pk)
    ride_cancel_by_staff(ride_id=ride.pk, reason="accident")
    ride.refresh_from_db()
    assert (ride.status, ride.cancelled_by) == ("CANCELLED", "staff")
    with pytest.raises(ValidationFailed, match="CANCELLED"):
        ride_cancel_by_staff(ride_id=ride.pk)


def test_what_was_asked_for_a_ride_that_staff_cancel_need_not_be_paid(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1)
    ride_cancel_by_staff(ride_id=ride.pk)
    ride.refresh_from_db()
    assert (ride.status, ride.payment.status) == ("CANCELLED", "REJECTED")
    assert told_types(putri)[-2:] == ["payment_process", "ride_cancelled"]


def test_staff_cannot_cancel_what_does_not_exist(db: None) -> None:
    with pytest.raises(ValidationFailed, match="no such ride"):
        ride_cancel_by_staff(ride_id=uuid4())


def test_a_stranger_and_the_wrong_side_change_nothing(dewi: User, joko: User, putri: User, tono: User) -> None:
    ride = book(dewi, putri)
    for user in (joko, putri, tono):
        with pytest.raises(ValidationFailed, match="no such ride of yours"):
            ride_start(user_id=user.pk, ride_id=ride.pk)
        with pytest.raises(ValidationFailed, match="no such ride of yours"):
            ride_arrived(user_id=user.pk, ride_id=ride.pk)
    for user in (joko, tono):
        with pytest.raises(ValidationFailed, match="no such ride of yours"):
            ride_cancel(user_id=user.pk, ride_id=ride.pk)
        assert told(user) == []
    assert Ride.objects.get().status == "PICKUP"


def test_each_step_is_taken_once_and_in_order(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    with pytest.raises(ValidationFailed, match="PICKUP cannot be ended"):
        ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride_start(user_id=dewi.pk, ride_id=ride.pk)
    with pytest.raises(ValidationFailed, match="ONGOING cannot be started"):
        ride_start(user_id=dewi.pk, ride_id=ride.pk)
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    with pytest.raises(ValidationFailed, match="ARRIVED cannot be ended"):
        ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    assert told_types(dewi).count("ride_arrived") == 1


def test_staff_finish_a_ride_at_what_was_driven(dewi: User, putri: User) -> None:
    """For a driver whose phone is dead: as if they had arrived, with the payment asked for."""
    ride = start(dewi, putri)
    backdate(ride, 600)
    drive(ride, (1000, 100), (2500, 250))
    ride_finish_by_staff(ride_id=ride.pk)
    ride.refresh_from_db()
    assert (ride.status, ride.total_cost, ride.adjusted_cost) == ("ARRIVED", 7500, 7500)
    assert ride.payment.status == "PENDING"
    assert told_types(putri)[-2:] == ["ride_arrived", "payment_process"]


def test_staff_finish_only_what_is_under_way(dewi: User, putri: User) -> None:
    """Neither a booked ride nor one that is over, nor one that does not exist."""
    ride = book(dewi, putri)
    for pk in (ride.pk, uuid4()):
        with pytest.raises(ValidationFailed):
            ride_finish_by_staff(ride_id=pk)
    assert Ride.objects.get().status == "PICKUP"
