"""Paying for a ride."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from common.errors import ValidationFailed
from events.outbox import emit
from rides.events import PaymentProcessed, RideCompleted
from rides.models import Payment, PaymentStatus, RideStatus
from rides.services.rides import own_ride, require_status
from rides.snapshots import payment_fields, payment_snapshot, ride_snapshot


@transaction.atomic
def payment_process(*, user_id: UUID, ride_id: UUID, total_cost: int, status: Literal["ACCEPTED", "REJECTED"]) -> None:
    """Pay what was asked, or refuse to; after a refusal the passenger may still pay.

    Raises `ValidationFailed` when the amount is not the one that was asked, or the ride does not wait for payment.
    """
    ride = own_ride(user_id, ride_id, "passenger")
    require_status(ride, RideStatus.ARRIVED, "paid")
    payment = Payment.objects.select_for_update().get(ride=ride)
    if total_cost != payment.total_cost:
        raise ValidationFailed(f"total_cost must be {payment.total_cost}, as asked.", field="total_cost")
    if payment.status == status:
        raise ValidationFailed(f"The payment is {status} already.", field="status")
    payment.status = status
    payment.processed_at = timezone.now()
    payment.save(update_fields=["status", "processed_at"])
    emit(PaymentProcessed(**payment_fields(payment, ride)))
    if status == PaymentStatus.ACCEPTED:
        ride.status = RideStatus.COMPLETED
        ride.completed_at = payment.processed_at
        ride.save(update_fields=["status", "completed_at"])
        emit(RideCompleted(ride=ride_snapshot(ride), payment=payment_snapshot(payment, ride)))
