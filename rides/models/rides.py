"""Rides, from the booking to the end."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from rides.models.matches import Match
from rides.models.tariffs import Quote, Tariff
from users.models import VehicleType


class RideStatus(models.TextChoices):
    """PICKUP -> ONGOING -> ARRIVED -> COMPLETED, or CANCELLED from any but the last."""

    PICKUP = "PICKUP"
    ONGOING = "ONGOING"
    ARRIVED = "ARRIVED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


DRIVER_BUSY = (RideStatus.PICKUP, RideStatus.ONGOING)
PASSENGER_BUSY = (RideStatus.PICKUP, RideStatus.ONGOING, RideStatus.ARRIVED)
DRIVEN = (RideStatus.ARRIVED, RideStatus.COMPLETED)


class Ride(models.Model):
    """A booked ride.

    `tracked_km` is how far it has come: an estimate while it is under way, what was measured once it has ended.
    `distance_km` and `total_cost` are what the ledger has booked of it. Money is whole rupiah.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    match = models.OneToOneField(Match, models.PROTECT, related_name="ride")
    driver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="driver_rides")
    passenger = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="passenger_rides")
    status = models.CharField(max_length=16, choices=RideStatus.choices, default=RideStatus.PICKUP)
    vehicle_type = models.CharField(
        max_length=16, choices=VehicleType.choices, blank=True, default="", db_default="", help_text="Of the booking."
    )
    vehicle_plate = models.CharField(max_length=16, blank=True, default="", db_default="")
    pin = models.CharField(max_length=4, blank=True, default="", db_default="")
    rate_per_km = models.PositiveIntegerField(help_text="Rupiah; the tariff of the booking stays that of the ride.")
    unit_km = models.DecimalField(max_digits=15, decimal_places=9, help_text="What the ledger books at a time.")
    tariff = models.ForeignKey(Tariff, models.PROTECT, null=True, help_text="Empty: that of the environment.")
    quote = models.ForeignKey(Quote, models.PROTECT, null=True, related_name="rides")
    receipt = models.JSONField(null=True, help_text="What each part costs, and what was not counted and why.")
    meter_rule = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="By which rule the distance is measured (rides.services.tracks)."
    )
    max_accuracy_m = models.FloatField(default=50, db_default=50, help_text="Fixes that are worse do not count.")
    max_speed_kmh = models.FloatField(
        default=0, db_default=0, help_text="What the vehicle can do; 0: any speed is plausible."
    )
    progress = models.TextField(
        blank=True, default="", db_default="", help_text="How far the running estimate has come; empty when it is over."
    )
    kept_points = models.PositiveIntegerField(default=0, db_default=0, help_text="Positions kept of the driver.")
    kept_passenger_points = models.PositiveIntegerField(default=0, db_default=0, help_text="And of the passenger.")
    tracked_km = models.FloatField(default=0)
    distance_km = models.DecimalField(max_digits=15, decimal_places=9, default=Decimal(0))
    total_cost = models.PositiveBigIntegerField(default=0)
    adjustment_factor = models.FloatField(default=1)
    adjusted_cost = models.PositiveBigIntegerField(default=0)
    needs_review = models.CharField(
        max_length=128, blank=True, default="", db_default="", help_text="Why support should look at it."
    )
    cancelled_by = models.CharField(max_length=64, blank=True)
    cancel_reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    arrived_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        permissions = (
            ("cancel_ride", "Can cancel rides that are not paid yet"),
            ("finish_ride", "Can finish rides that are under way"),
            ("review_ride", "Can note that flagged rides have been looked at"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("driver",), condition=Q(status__in=DRIVER_BUSY), name="one_current_ride_per_driver"
            ),
            models.UniqueConstraint(
                fields=("passenger",), condition=Q(status__in=PASSENGER_BUSY), name="one_current_ride_per_passenger"
            ),
            models.CheckConstraint(condition=Q(status__in=RideStatus.values), name="ride_status_known"),
            models.CheckConstraint(
                condition=Q(adjustment_factor__gte=0, adjustment_factor__lte=1), name="ride_factor_0_to_1"
            ),
            models.CheckConstraint(condition=Q(adjusted_cost__lte=F("total_cost")), name="ride_adjusted_at_most_total"),
        )
        indexes = (
            models.Index(fields=("-created_at", "-id"), name="ride_newest"),
            models.Index(fields=("driver", "-created_at"), name="ride_by_driver"),
            models.Index(fields=("passenger", "-created_at"), name="ride_by_passenger"),
            models.Index(fields=("status", "-created_at"), name="ride_by_status"),
            models.Index(fields=("status", "cancelled_at"), name="ride_cancelled_by_day"),
            models.Index(fields=("-created_at",), condition=~Q(needs_review=""), name="ride_to_review"),
        )

    def __str__(self) -> str:
        return f"{self.id} {self.status}"

    def flag(self, *reasons: str) -> None:
        """Ask support to look at the ride, for these reasons beside those there are; the caller saves it."""
        known = [reason for reason in self.needs_review.split(", ") if reason]
        self.needs_review = ", ".join(dict.fromkeys([*known, *reasons]))[:128]
