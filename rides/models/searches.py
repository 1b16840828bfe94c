"""Drivers who wait for passengers, passengers who search for a driver, and what a search looked at."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from rides.models.places import FromPickupToTarget
from users.models import VehicleType


class Beacon(models.Model):
    """Whether a driver wants passengers. Positions live in the position store, not here."""

    driver = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="beacon")
    is_active = models.BooleanField(default=False)
    changed_at = models.DateTimeField()
    ignored_offers = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        help_text="Offers in a row that the driver let lapse; they put the driver behind others.",
    )
    ignored_at = models.DateTimeField(null=True, blank=True, help_text="When the driver let the last one lapse.")

    def __str__(self) -> str:
        return f"{self.driver}: {'on' if self.is_active else 'off'}"


class FinderStatus(models.TextChoices):
    """How a search for a driver stands."""

    OPEN = "OPEN"
    MATCHED = "MATCHED"
    MOVED = "MOVED"
    CANCELLED = "CANCELLED"
    NO_DRIVER = "NO_DRIVER"


class Finder(FromPickupToTarget):
    """A passenger's search for a driver. While it is open, `due_at` is when the timers continue it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    passenger = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="finders")
    status = models.CharField(max_length=16, choices=FinderStatus.choices, default=FinderStatus.OPEN)
    vehicle_type = models.CharField(
        max_length=16, choices=VehicleType.choices, blank=True, default="", db_default="", help_text="Empty: any."
    )
    auto_accept = models.BooleanField(
        default=False, db_default=False, help_text="The first driver who accepts has the ride."
    )
    quote_id = models.UUIDField(null=True, blank=True)
    is_coarse = models.BooleanField(
        default=False, db_default=False, help_text="Drivers are chosen by their cells: the passenger cancels often."
    )
    origin = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="moves",
        help_text="The first of the searches that this one continues from another place.",
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    attempt_ends_at = models.DateTimeField()
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(fields=("passenger",), condition=Q(status="OPEN"), name="one_open_finder"),
            models.CheckConstraint(condition=Q(status__in=FinderStatus.values), name="finder_status_known"),
        )
        indexes = (
            models.Index(fields=("due_at",), condition=Q(status="OPEN"), name="finder_due"),
            models.Index(fields=("-created_at", "-id"), name="finder_newest"),
            models.Index(fields=("status", "-created_at"), name="finder_by_status"),
            models.Index(fields=("passenger", "-created_at"), name="finder_by_passenger"),
        )

    def __str__(self) -> str:
        return f"{self.passenger} {timezone.localtime(self.created_at):%Y-%m-%d %H:%M:%S}"

    def attempt_is_over(self, now: datetime) -> bool:
        """Whether the next look for drivers begins another attempt; with windows the first begins after the search."""
        return not self.attempts or self.attempt_ends_at <= now


class CandidateOutcome(models.TextChoices):
    """Why a search did or did not offer the ride to a driver. The stored values say `asked` for `offered`."""

    OFFERED = "asked", "offered the ride"
    OFFERED_BY_A_SERVICE = "asked_by_a_service", "offered the ride by another service"
    DEACTIVATED = "deactivated", "is deactivated"
    OFFERED_BEFORE = "asked_before", "was offered this ride before"
    BEACON_OFF = "beacon_off", "beacon is off"
    NOT_CONNECTED = "not_connected", "is not connected"
    POSITION_TOO_OLD = "position_too_old", "position is too old"
    HAS_A_RIDE = "has_a_ride", "is on a ride"
    OTHER_VEHICLE = "other_vehicle", "drives another kind of vehicle"
    HAS_AN_OFFER = "has_an_offer", "has another offer to answer"
    NOT_APPROVED = "not_approved", "is not approved to drive, or has papers that have expired"
    BLOCKED = "blocked", "one of the two has blocked the other"
    OTHER_SEARCH = "other_search", "went to another search of the same window"
    IGNORES_OFFERS = "ignores_offers", "let the last offers lapse; others came first"


class Candidate(models.Model):
    """A driver whom a search considered, and why they were or were not offered the ride. Kept for support staff."""

    finder = models.ForeignKey(Finder, models.CASCADE, related_name="candidates")
    driver = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    attempt = models.PositiveSmallIntegerField()
    distance_km = models.FloatField()
    position_age_s = models.FloatField()
    outcome = models.CharField(max_length=32)
    considered_at = models.DateTimeField()

    class Meta:
        ordering = ("attempt", "distance_km")
        constraints = (models.UniqueConstraint(fields=("finder", "attempt", "driver"), name="one_verdict_per_attempt"),)

    def __str__(self) -> str:
        return f"{self.driver}: {self.outcome}"


class SearchAttempt(models.Model):
    """An attempt of a search: what was configured then, and how many drivers were too far. Kept for support staff."""

    finder = models.ForeignKey(Finder, models.CASCADE, related_name="attempt_records")
    number = models.PositiveSmallIntegerField()
    begun_at = models.DateTimeField()
    radius_km = models.FloatField()
    configured = models.JSONField(help_text="The settings that decided; times in seconds.")
    too_far = models.JSONField(default=list, help_text="Rings beyond the radius: from km, to km, available drivers.")

    class Meta:
        ordering = ("number",)
        constraints = (models.UniqueConstraint(fields=("finder", "number"), name="one_record_per_attempt"),)

    def __str__(self) -> str:
        return f"{self.number} within {self.radius_km:g} km"
