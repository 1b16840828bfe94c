"""Paying for a ride."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.db import transaction

from common import clock
from common.errors import CommonReason, ValidationFailed
from common.prepared import PreparedObjects
from common.rows import update_row
from events.outbox import emit
from rides.events import PaymentProcessed, RideCompleted
from rides.gateways import Notice, gateway
from rides.models import Payment, PaymentNotice, PaymentStatus, Ride, RideStatus
from rides.reasons import RideReason
from rides.services.rides import own_ride, require_status, ride_locked
from rides.snapshots import payment_fields, payment_snapshot, ride_snapshot

CASH = "cash"
PAID_TWICE, REFUNDED = "paid_twice", "refunded"
"""Why support should look at a ride: money came that was not asked for any more, or went back."""


@transaction.atomic(savepoint=False)
def payment_process(*, user_id: UUID, ride_id: UUID, total_cost: int, status: Literal["ACCEPTED", "REJECTED"]) -> None:
    """Pay what was asked, or refuse to; after a refusal the passenger may still pay.

    Where the gateway settles by itself, the passenger's yes only says that they are paying: its notice completes the
    ride. Raises `ValidationFailed` when the amount is not the one that was asked, or the ride does not wait for it.
    """
    ride, payment = _due(own_ride(user_id, ride_id, "passenger"), total_cost)
    if payment.status == status:
        raise ValidationFailed(f"The payment is {status} already.", reason=RideReason.PAYMENT_DECIDED, field="status")
    used: object = gateway()
    if status == PaymentStatus.REJECTED:
        _decide(ride, payment, PaymentStatus.REJECTED)
    elif not getattr(used, "settles", False):
        _decide(ride, payment, PaymentStatus.ACCEPTED, getattr(used, "name", ""))
    elif payment.status == PaymentStatus.REJECTED:
        _decide(ride, payment, PaymentStatus.PENDING)


@transaction.atomic(savepoint=False)
def payment_received(*, user_id: UUID, ride_id: UUID, total_cost: int) -> None:
    """Take the driver's word that the passenger has paid in cash.

    Raises `ValidationFailed` when the amount is not the one that was asked, or the ride does not wait for payment.
    """
    ride, payment = _due(own_ride(user_id, ride_id, "driver"), total_cost)
    _decide(ride, payment, PaymentStatus.ACCEPTED, CASH)


@transaction.atomic
def payment_settle(*, gateway_name: str, notice: Notice) -> None:
    """Take what a gateway tells of a payment; the same notice, late or again, changes nothing twice.

    Money that has come completes the ride, whatever was told before; a failure never undoes it. Raises
    `ValidationFailed` when there is no such payment or the amount is not the one that was asked.
    """
    found = Payment.objects.filter(pk=notice.payment_id).first()
    if found is None:
        raise ValidationFailed("There is no such payment.", reason=CommonReason.NOT_FOUND, field="payment_id")
    ride = ride_locked(found.ride_id)
    payment = ride.payment
    if notice.amount != payment.total_cost:
        raise ValidationFailed(
            f"The amount must be {payment.total_cost}, as asked.", reason=RideReason.WRONG_AMOUNT, field="amount"
        )
    _, is_new = PaymentNotice.objects.get_or_create(
        payment=payment,
        gateway=gateway_name,
        reference=notice.reference,
        status=notice.words,
        defaults={"outcome": notice.outcome, "amount": notice.amount, "received_at": clock.now()},
    )
    if is_new:
        _settle(ride, payment, notice, gateway_name)


def _settle(ride: Ride, payment: Payment, notice: Notice, name: str) -> None:
    if notice.outcome == "paid" and ride.status == RideStatus.ARRIVED:
        _decide(ride, payment, PaymentStatus.ACCEPTED, name)
    elif notice.outcome == "failed" and payment.status == PaymentStatus.PENDING:
        _decide(ride, payment, PaymentStatus.REJECTED)
    elif notice.outcome == "refunded":
        _flag(ride, REFUNDED)
    elif notice.outcome == "paid" and _is_other_money(payment, notice, name):
        _flag(ride, PAID_TWICE)


def _is_other_money(payment: Payment, notice: Notice, name: str) -> bool:
    """Tell whether money came that nobody asked for any more: by another way, or in another transaction."""
    told = PaymentNotice.objects.filter(payment=payment, gateway=name, reference=notice.reference, outcome="paid")
    return payment.method != name or told.count() < 2


def _flag(ride: Ride, reason: str) -> None:
    ride.flag(reason)
    ride.save(update_fields=["needs_review"])


def _due(ride: Ride, total_cost: int) -> tuple[Ride, Payment]:
    """Return a ride that waits for its payment, and the payment, when the amount is the one that was asked."""
    require_status(ride, RideStatus.ARRIVED, "paid")
    payment = _PAYMENT.one(ride.pk)  # whoever changes a payment has locked its ride
    assert payment is not None  # a ride that has arrived has one
    if total_cost != payment.total_cost:
        raise ValidationFailed(
            f"total_cost must be {payment.total_cost}, as asked.", reason=RideReason.WRONG_AMOUNT, field="total_cost"
        )
    return ride, payment


def _decide(ride: Ride, payment: Payment, status: PaymentStatus, method: str = "") -> None:
    payment.status = status
    payment.method = method
    payment.processed_at = None if status == PaymentStatus.PENDING else clock.now()
    update_row(payment, "status", "method", "processed_at")
    processed = PaymentProcessed(**payment_fields(payment, ride))
    if status != PaymentStatus.ACCEPTED:
        emit(processed)
        return
    ride.status = RideStatus.COMPLETED
    ride.completed_at = payment.processed_at
    update_row(ride, "status", "completed_at")
    emit(processed, RideCompleted(ride=ride_snapshot(ride), payment=payment_snapshot(payment, ride)))


_PAYMENT = PreparedObjects(UUID, build=lambda ride_id: Payment.objects.filter(ride=ride_id))
