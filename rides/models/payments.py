"""What a ride has cost so far, and who has paid it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q

from rides.models.rides import Ride
from rides.money import rupiah


class LedgerEntry(models.Model):
    """A booked part of a ride's distance and what it costs."""

    ride = models.ForeignKey(Ride, models.CASCADE, related_name="ledger")
    distance_km = models.DecimalField(max_digits=15, decimal_places=9)
    cost = models.BigIntegerField(help_text="The last entry corrects those of the running estimate, either way.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "ledger entries"

    def __str__(self) -> str:
        return f"{self.distance_km:.3f} km: {rupiah(self.cost)}"


class PaymentStatus(models.TextChoices):
    """PENDING asks for payment; after REJECTED the passenger may accept."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


class Payment(models.Model):
    """What a ride costs its passenger, and how it is shared. `total_cost` is the ride's adjusted cost."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ride = models.OneToOneField(Ride, models.PROTECT, related_name="payment")
    status = models.CharField(max_length=16, choices=PaymentStatus.choices, default=PaymentStatus.PENDING)
    total_cost = models.PositiveBigIntegerField()
    admin_fee = models.PositiveBigIntegerField()
    driver_payout = models.PositiveBigIntegerField()
    qr_code_url = models.URLField(max_length=500)
    method = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="How it was paid: cash, or the gateway's name."
    )
    created_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(status__in=PaymentStatus.values), name="payment_status_known"),
            models.CheckConstraint(condition=Q(total_cost=F("admin_fee") + F("driver_payout")), name="payment_adds_up"),
        )
        indexes = (
            models.Index(fields=("-created_at", "-id"), name="payment_newest"),
            models.Index(fields=("status", "-created_at"), name="payment_by_status"),
            models.Index(fields=("status", "processed_at"), name="payment_by_day"),
        )

    def __str__(self) -> str:
        return f"{rupiah(self.total_cost)} {self.status}"


class PaymentNotice(models.Model):
    """What a payment gateway has told of a payment. The same is kept once, however often it is told."""

    payment = models.ForeignKey(Payment, models.CASCADE, related_name="notices")
    gateway = models.CharField(max_length=32)
    reference = models.CharField(max_length=128, help_text="The gateway's own number of the transaction.")
    status = models.CharField(max_length=32, help_text="In the gateway's words.")
    outcome = models.CharField(max_length=16, help_text="In ours: pending, paid, failed or refunded.")
    amount = models.PositiveBigIntegerField()
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("payment", "gateway", "reference", "status"), name="one_notice_per_status"),
        )

    def __str__(self) -> str:
        return f"{self.gateway} {self.reference}: {self.status}"
