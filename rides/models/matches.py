"""Offers that pair a driver with a passenger."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from rides.geo import GeoPoint
from rides.models.places import FromPickupToTarget
from rides.models.searches import Finder


class MatchStatus(models.TextChoices):
    """Who has confirmed a match."""

    PENDING = "PENDING"
    DRIVER_CONFIRMED = "DRIVER_CONFIRMED"
    PASSENGER_CONFIRMED = "PASSENGER_CONFIRMED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


class RejectReason(models.TextChoices):
    """Why a match was rejected."""

    DECLINED = "declined"
    EXPIRED = "expired"
    TAKEN = "taken"
    CANCELLED = "cancelled"


OPEN_MATCH = (MatchStatus.PENDING, MatchStatus.DRIVER_CONFIRMED, MatchStatus.PASSENGER_CONFIRMED)


class Match(FromPickupToTarget):
    """An offer that pairs a driver with a passenger."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    finder = models.ForeignKey(Finder, models.PROTECT, related_name="matches")
    driver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="driver_matches")
    passenger = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="passenger_matches")
    status = models.CharField(max_length=24, choices=MatchStatus.choices, default=MatchStatus.PENDING)
    reason = models.CharField(max_length=16, choices=RejectReason.choices, blank=True, help_text="Why it was rejected.")
    driver_latitude = models.FloatField()
    driver_longitude = models.FloatField()
    distance_km = models.FloatField(help_text="From the driver to the pick-up.")
    eta_s = models.PositiveIntegerField(null=True, blank=True, help_text="Seconds to the pick-up, as it was offered.")
    attempt = models.PositiveSmallIntegerField(default=0, db_default=0, help_text="The attempt of the search.")
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()
    receipt_due_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the driver's device should have confirmed it, where it confirms.",
    )
    received_at = models.DateTimeField(null=True, blank=True, help_text="When the driver's device confirmed it.")
    unreachable_at = models.DateTimeField(
        null=True, blank=True, help_text="When the next driver was asked beside, for want of a receipt."
    )
    answered_at = models.DateTimeField(null=True, blank=True, help_text="When the driver answered.")
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name_plural = "matches"
        constraints = (
            models.UniqueConstraint(fields=("finder", "driver"), name="driver_asked_once_per_finder"),
            models.UniqueConstraint(fields=("finder",), condition=Q(status="ACCEPTED"), name="one_accepted_match"),
            models.CheckConstraint(condition=Q(status__in=MatchStatus.values), name="match_status_known"),
            models.CheckConstraint(condition=~Q(driver=F("passenger")), name="match_of_two_people"),
        )
        indexes = (
            models.Index(fields=("-created_at", "-id"), name="match_newest"),
            models.Index(fields=("status", "-created_at"), name="match_by_status"),
            models.Index(fields=("expires_at",), condition=Q(status__in=OPEN_MATCH), name="match_due"),
            models.Index(fields=("driver",), condition=Q(status__in=OPEN_MATCH), name="match_open_driver"),
            models.Index(fields=("passenger",), condition=Q(status__in=OPEN_MATCH), name="match_open_passenger"),
        )

    def __str__(self) -> str:
        return f"{self.id} {self.status}"

    @property
    def driver_location(self) -> GeoPoint:
        """Where the driver was when the offer was made."""
        return GeoPoint(self.driver_latitude, self.driver_longitude)

    def is_overdue(self, now: datetime) -> bool:
        """Whether a device should have confirmed the open offer, and nobody has noticed yet that it has not."""
        due = self.receipt_due_at
        return self.status in OPEN_MATCH and self.unreachable_at is None and due is not None and due <= now
