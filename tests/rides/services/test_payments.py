from uuid import uuid4

import pytest

from common.errors import ValidationFailed
from rides.models import Payment, Ride
from rides.services.payments import payment_process, payment_received
from tests.cast import arrive, start, told, told_types
from users.models import User


def pay(user: User, ride: Ride, cost: int = 7500, status: str = "ACCEPTED") -> None:
    payment_process(user_id=user.pk, ride_id=ride.pk, total_cost=cost, status=status)  # type: ignore[arg-type]


def test_a_paid_ride_is_completed_and_both_are_told(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2.5)
    pay(putri, ride)
    ride.refresh_from_db()
    assert (ride.status, ride.payment.status) == ("COMPLETED", "ACCEPTED")
    for user in (dewi, putri):
        (paid, payment), (completed, whole) = told(user)[-2:]
        assert (paid, payment["status"]) == ("payment_process", "ACCEPTED")
        assert completed == "ride_completed"
        assert whole["ride"]["status"] == "COMPLETED"
        assert whole["payment"] == payment
        assert whole["payment"]["driver_payout"] == 7125


def test_after_a_refusal_the_passenger_may_still_pay(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2.5)
    pay(putri, ride, status="REJECTED")
    ride.refresh_from_db()
    assert (ride.status, ride.payment.status) == ("ARRIVED", "REJECTED")
    assert told(dewi)[-1][1]["status"] == "REJECTED"
    pay(putri, ride)
    ride.refresh_from_db()
    assert ride.status == "COMPLETED"


@pytest.mark.parametrize("cost", [7499, 7501, 0])
def test_only_what_was_asked_can_be_paid(dewi: User, putri: User, cost: int) -> None:
    ride = arrive(dewi, putri, tracked_km=2.5)
    with pytest.raises(ValidationFailed, match="must be 7500") as caught:
        pay(putri, ride, cost)
    assert caught.value.field == "total_cost"
    assert Payment.objects.get().status == "PENDING"


def test_nobody_pays_twice_or_refuses_twice(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2.5)
    pay(putri, ride, status="REJECTED")
    with pytest.raises(ValidationFailed, match="REJECTED already"):
        pay(putri, ride, status="REJECTED")
    pay(putri, ride)
    for status in ("ACCEPTED", "REJECTED"):
        with pytest.raises(ValidationFailed, match="COMPLETED cannot be paid"):
            pay(putri, ride, status=status)
    assert told_types(putri).count("ride_completed") == 1


def test_a_ride_under_way_cannot_be_paid(dewi: User, putri: User) -> None:
    ride = start(dewi, putri)
    with pytest.raises(ValidationFailed, match="ONGOING cannot be paid"):
        pay(putri, ride, 0)


def test_nobody_pays_for_others(dewi: User, putri: User, tono: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2.5)
    messages = set()
    for user, ride_id in ((dewi, ride.pk), (tono, ride.pk), (putri, uuid4())):
        with pytest.raises(ValidationFailed) as caught:
            payment_process(user_id=user.pk, ride_id=ride_id, total_cost=7500, status="ACCEPTED")
        messages.add(caught.value.message)
    assert messages == {"There is no such ride of yours."}
    assert Payment.objects.get().status == "PENDING"


def test_the_driver_confirms_cash(dewi: User, putri: User) -> None:
    """Both are told, and the payment says how it was made."""
    ride = arrive(dewi, putri, tracked_km=2.5)
    payment_received(user_id=dewi.pk, ride_id=ride.pk, total_cost=7500)
    ride.refresh_from_db()
    assert (ride.status, ride.payment.status, ride.payment.method) == ("COMPLETED", "ACCEPTED", "cash")
    assert told(putri)[-2][1]["method"] == "cash"
    with pytest.raises(ValidationFailed, match="COMPLETED cannot be paid"):
        pay(putri, ride)


def test_cash_is_confirmed_after_a_refusal_too(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2.5)
    pay(putri, ride, status="REJECTED")
    payment_received(user_id=dewi.pk, ride_id=ride.pk, total_cost=7500)
    ride.refresh_from_db()
    assert ride.status == "COMPLETED"


def test_only_the_driver_confirms_cash_and_only_what_was_asked(dewi: User, putri: User, joko: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2.5)
    for user in (putri, joko):
        with pytest.raises(ValidationFailed, match="no such ride"):
            payment_received(user_id=user.pk, ride_id=ride.pk, total_cost=7500)
    with pytest.raises(ValidationFailed, match="must be 7500"):
        payment_received(user_id=dewi.pk, ride_id=ride.pk, total_cost=7499)
    assert Payment.objects.get().status == "PENDING"
