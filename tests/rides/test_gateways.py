"""Payment gateways: links, and notices that only their own signature makes true."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from rides.gateways import payment_url
from rides.models import Payment, PaymentNotice, Ride
from rides.services.payments import payment_process, payment_received
from rides.services.rides import ride_cancel_by_staff
from rides.staff.audit import audit
from tests.cast import arrive, told, told_types
from users.models import User

KEY = "SB-Mid-server-of-the-tests"
WEBHOOK = "/api/payments/webhook/midtrans/"


class Elsewhere:
    """Another provider, as simple as one can be."""

    def payment_url(self, payment_id: UUID, amount: int) -> str:
        return f"https://pay.example/{payment_id}?amount={amount}"


def test_the_default_gateway_points_to_this_server(settings: Any) -> None:
    settings.PUBLIC_URL = "https://api.example.com"
    assert payment_url(UUID(int=1), 5000) == f"https://api.example.com/api/payments/{UUID(int=1)}/qr.svg"


def test_another_gateway_is_another_class(settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "tests.rides.test_gateways.Elsewhere"
    assert payment_url(UUID(int=1), 5000) == f"https://pay.example/{UUID(int=1)}?amount=5000"


@pytest.mark.django_db
def test_a_gateway_with_nothing_but_a_link_is_paid_by_the_passengers_word(
    dewi: User, putri: User, settings: Any
) -> None:
    settings.PAYMENT_GATEWAY = "tests.rides.test_gateways.Elsewhere"
    ride = arrive(dewi, putri, tracked_km=1)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=3000, status="ACCEPTED")
    assert Payment.objects.get().status == "ACCEPTED"
    assert Client().post("/api/payments/webhook/qr/", "{}", "application/json").status_code == 404


@pytest.fixture
def ride(dewi: User, putri: User, settings: Any, db: None) -> Ride:
    """A ride that waits for its payment by Midtrans."""
    settings.PAYMENT_GATEWAY = "rides.gateways.MidtransGateway"
    settings.PAYMENT_URL = "https://pay.example/{payment_id}?amount={amount}"
    settings.PAYMENT_SECRET = KEY
    return arrive(dewi, putri, tracked_km=1)


def signed(payment: Payment, status: str = "settlement", code: str = "200", **changes: Any) -> dict[str, Any]:
    """A notice as Midtrans sends it; the signature is that of the fields that are not changed by `after`."""
    after = changes.pop("after", {})
    notice = {
        "transaction_time": "2026-01-31 19:10:18",
        "transaction_status": status,
        "transaction_id": "513f1f01-c9da-474c-9fc9-d5c64364b709",
        "status_message": "midtrans payment notification",
        "status_code": code,
        "payment_type": "gopay",
        "order_id": str(payment.pk),
        "gross_amount": f"{payment.total_cost}.00",
        "fraud_status": "accept",
        "currency": "IDR",
        **changes,
    }
    said = f"{notice['order_id']}{notice['status_code']}{notice['gross_amount']}{KEY}"
    return {**notice, "signature_key": hashlib.sha512(said.encode()).hexdigest(), **after}


def tell(notice: dict[str, Any] | str) -> int:
    body = notice if isinstance(notice, str) else json.dumps(notice)
    return Client(enforce_csrf_checks=True).post(WEBHOOK, body, "application/json").status_code


def standing(ride: Ride) -> tuple[str, str, str, str]:
    ride.refresh_from_db()
    return ride.status, ride.payment.status, ride.payment.method, ride.needs_review


def test_nobodys_word_completes_a_ride_where_a_gateway_settles(ride: Ride, putri: User) -> None:
    """The passenger says that they pay, the notice that they have paid."""
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=3000, status="ACCEPTED")
    assert standing(ride) == ("ARRIVED", "PENDING", "", "")
    assert tell(signed(ride.payment)) == 200
    assert standing(ride) == ("COMPLETED", "ACCEPTED", "midtrans", "")
    assert told(putri)[-2][1]["method"] == "midtrans"
    assert told_types(putri)[-2:] == ["payment_process", "ride_completed"]
    assert list(audit()) == []


def test_a_notice_changes_nothing_twice(ride: Ride, putri: User) -> None:
    """Doubled, late, and in any order: the money has come."""
    for notice in (
        signed(ride.payment),
        signed(ride.payment),
        signed(ride.payment, "pending", "201"),
        signed(ride.payment, "capture"),
        signed(ride.payment, "expire", "202"),
        signed(ride.payment, "settlement"),
    ):
        assert tell(notice) == 200
    assert standing(ride) == ("COMPLETED", "ACCEPTED", "midtrans", "")
    assert told_types(putri).count("ride_completed") == 1
    assert PaymentNotice.objects.count() == 4


def test_after_a_failure_the_passenger_may_pay_again(ride: Ride, putri: User) -> None:
    """The first attempt expires, the second is paid."""
    assert tell(signed(ride.payment, "pending", "201")) == 200
    assert standing(ride)[1] == "PENDING"
    assert tell(signed(ride.payment, "expire", "202")) == 200
    assert standing(ride)[:2] == ("ARRIVED", "REJECTED")
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=3000, status="ACCEPTED")
    assert standing(ride)[:2] == ("ARRIVED", "PENDING")
    assert tell(signed(ride.payment, transaction_id="2")) == 200
    assert standing(ride) == ("COMPLETED", "ACCEPTED", "midtrans", "")


def test_money_that_comes_late_is_taken(ride: Ride, putri: User) -> None:
    """Even after the passenger said no."""
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=3000, status="REJECTED")
    assert tell(signed(ride.payment)) == 200
    assert standing(ride)[:2] == ("COMPLETED", "ACCEPTED")


@pytest.mark.parametrize(
    "wrong",
    [
        {"after": {"signature_key": "0" * 128}},
        {"after": {"signature_key": ""}},
        {"after": {"order_id": str(uuid4())}},
        {"after": {"gross_amount": "1.00"}},
        {"after": {"status_code": "200"}, "code": "201"},
        {"gross_amount": "2999.00"},
        {"gross_amount": "3000.50"},
        {"gross_amount": "NaN"},
        {"gross_amount": "1e999999999"},
        {"order_id": "a'; drop table"},
        {"order_id": str(UUID(int=1))},
    ],
)
def test_a_notice_that_is_not_true_changes_nothing(ride: Ride, wrong: dict[str, Any]) -> None:
    """Forged, for another amount, or for a payment that does not exist."""
    assert tell(signed(ride.payment, **wrong)) == 400
    assert standing(ride)[:2] == ("ARRIVED", "PENDING")
    assert not PaymentNotice.objects.exists()


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"order_id": 7}', "\xff", "{" * 10_000])
def test_what_is_no_notice_is_refused(ride: Ride, body: str) -> None:
    assert tell(body) == 400


def test_money_under_suspicion_has_not_come(ride: Ride) -> None:
    """The status is not signed, the code is: a success needs both."""
    assert tell(signed(ride.payment, "capture", fraud_status="challenge")) == 200
    assert tell(signed(ride.payment, "settlement", "201")) == 200
    assert standing(ride)[:2] == ("ARRIVED", "PENDING")


def test_without_a_key_nobody_is_believed(ride: Ride, settings: Any) -> None:
    settings.PAYMENT_SECRET = ""
    said = f"{ride.payment.pk}200{ride.payment.total_cost}.00"
    empty = hashlib.sha512(said.encode()).hexdigest()
    assert tell(signed(ride.payment, after={"signature_key": empty})) == 400


def test_paid_twice_is_seen(ride: Ride, dewi: User) -> None:
    """The driver has the cash, then the money comes by the gateway too: support has to give it back."""
    payment_received(user_id=dewi.pk, ride_id=ride.pk, total_cost=3000)
    assert standing(ride) == ("COMPLETED", "ACCEPTED", "cash", "")
    assert tell(signed(ride.payment)) == 200
    assert standing(ride) == ("COMPLETED", "ACCEPTED", "cash", "paid_twice")


def test_a_second_transaction_is_seen(ride: Ride) -> None:
    """The passenger scans the code twice."""
    assert tell(signed(ride.payment)) == 200
    assert tell(signed(ride.payment, "pending", "201", transaction_id="2")) == 200
    assert tell(signed(ride.payment, transaction_id="2")) == 200
    assert standing(ride)[3] == "paid_twice"


def test_money_for_a_ride_that_was_cancelled_is_seen(ride: Ride) -> None:
    ride_cancel_by_staff(ride_id=ride.pk)
    assert tell(signed(ride.payment)) == 200
    assert standing(ride) == ("CANCELLED", "REJECTED", "", "paid_twice")


def test_a_refund_is_seen(ride: Ride) -> None:
    assert tell(signed(ride.payment)) == 200
    assert tell(signed(ride.payment, "refund")) == 200
    assert standing(ride) == ("COMPLETED", "ACCEPTED", "midtrans", "refunded")


def test_another_gateways_webhook_does_not_exist(ride: Ride) -> None:
    client = Client()
    assert client.post("/api/payments/webhook/xendit/", "{}", "application/json").status_code == 404
    assert client.get(WEBHOOK).status_code == 405


def test_audit_finds_a_payment_that_no_gateway_has_told_of(ride: Ride) -> None:
    assert tell(signed(ride.payment)) == 200
    PaymentNotice.objects.all().delete()
    assert [line for line in audit() if "told nothing" in line]
