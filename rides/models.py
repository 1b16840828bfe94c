"""The tables of the domain. Database constraints forbid what must never happen, whatever the code does."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from rides.geo import GeoPoint
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


class Finder(models.Model):
    """A passenger's search for a driver. While it is open, `due_at` is when the timers continue it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    passenger = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="finders")
    status = models.CharField(max_length=16, choices=FinderStatus.choices, default=FinderStatus.OPEN)
    latitude = models.FloatField()
    longitude = models.FloatField()
    target_latitude = models.FloatField()
    target_longitude = models.FloatField()
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
        return f"{self.passenger} {self.created_at:%Y-%m-%d %H:%M:%S}"

    @property
    def location(self) -> GeoPoint:
        """Where the passenger wants to be picked up."""
        return GeoPoint(self.latitude, self.longitude)

    @property
    def target_location(self) -> GeoPoint:
        """Where the passenger wants to go."""
        return GeoPoint(self.target_latitude, self.target_longitude)


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


class Match(models.Model):
    """An offer that pairs a driver with a passenger."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    finder = models.ForeignKey(Finder, models.PROTECT, related_name="matches")
    driver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="driver_matches")
    passenger = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="passenger_matches")
    status = models.CharField(max_length=24, choices=MatchStatus.choices, default=MatchStatus.PENDING)
    reason = models.CharField(max_length=16, choices=RejectReason.choices, blank=True, help_text="Why it was rejected.")
    latitude = models.FloatField()
    longitude = models.FloatField()
    driver_latitude = models.FloatField()
    driver_longitude = models.FloatField()
    target_latitude = models.FloatField()
    target_longitude = models.FloatField()
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
    def location(self) -> GeoPoint:
        """The pick-up."""
        return GeoPoint(self.latitude, self.longitude)

    @property
    def driver_location(self) -> GeoPoint:
        """Where the driver was when the offer was made."""
        return GeoPoint(self.driver_latitude, self.driver_longitude)

    @property
    def target_location(self) -> GeoPoint:
        """Where the passenger wants to go."""
        return GeoPoint(self.target_latitude, self.target_longitude)


class Tariff(models.Model):
    """A version of what rides cost. It is never edited: a newer version of the same name takes its place.

    The newest version of each name that has begun counts. Of those that fit a ride the most particular one is taken:
    first the smallest area, then one for the vehicle, then one for the time. Where none fits, the tariff of the
    environment holds (`PRICING_RATE_PER_KM`). Times are local (`TIME_ZONE`); money is in rupiah.
    """

    name = models.SlugField(max_length=64, help_text="The versions of one tariff have the same name.")
    valid_from = models.DateTimeField()
    is_withdrawn = models.BooleanField(default=False, help_text="From then on there is no tariff of this name.")
    source = models.CharField(max_length=300, blank=True, help_text="The rule or decision that it follows.")
    vehicle_type = models.CharField(max_length=16, choices=VehicleType.choices, blank=True, help_text="Empty: any.")
    south = models.FloatField(null=True, blank=True, help_text="The area of the pick-up, in degrees; empty: anywhere.")
    west = models.FloatField(null=True, blank=True)
    north = models.FloatField(null=True, blank=True)
    east = models.FloatField(null=True, blank=True)
    weekdays = models.CharField(max_length=7, default="1234567", help_text="1 is Monday; 67 is the weekend.")
    from_time = models.TimeField(null=True, blank=True, help_text="Rides booked from then on; may pass midnight.")
    to_time = models.TimeField(null=True, blank=True, help_text="Rides booked before.")
    base_fare = models.PositiveIntegerField(default=0, help_text="For getting in.")
    minimum_fare = models.PositiveIntegerField(default=0, help_text="For the first kilometres, however few are driven.")
    minimum_km = models.DecimalField(max_digits=9, decimal_places=3, default=Decimal(0), help_text="So many of them.")
    per_km = models.PositiveIntegerField(default=0, help_text="For each kilometre beyond.")
    per_minute = models.PositiveIntegerField(default=0, help_text="For each minute of driving.")
    per_waiting_minute = models.PositiveIntegerField(default=0, help_text="For each minute of waiting.")
    free_waiting_minutes = models.PositiveSmallIntegerField(default=0)
    slow_kmh = models.FloatField(default=3, help_text="What is slower is waiting.")
    unit_fare = models.PositiveIntegerField(default=0, help_text="For each counted unit that has begun.")
    counted_km = models.DecimalField(max_digits=9, decimal_places=6, default=Decimal(0), help_text="A unit of driving.")
    counted_s = models.PositiveIntegerField(default=0, help_text="A unit of waiting, in seconds.")
    surge = models.DecimalField(max_digits=4, decimal_places=2, default=Decimal(1), help_text="Factor of high demand.")
    surge_cap = models.DecimalField(max_digits=4, decimal_places=2, default=Decimal(2), help_text="Its largest value.")
    surcharges = models.JSONField(default=list, blank=True, help_text='[{"label": "Night", "amount": 5000}]')
    platform_fee = models.PositiveIntegerField(default=0)
    rounding = models.PositiveIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="Fares are rounded to a multiple of this."
    )
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ("name", "-valid_from", "-id")
        constraints = (
            models.UniqueConstraint(fields=("name", "valid_from"), name="one_tariff_version_at_a_time"),
            models.CheckConstraint(condition=Q(surge__gte=1, surge__lte=F("surge_cap")), name="tariff_surge_capped"),
            models.CheckConstraint(condition=Q(rounding__gte=1), name="tariff_rounding_at_least_1"),
            models.CheckConstraint(
                condition=Q(unit_fare=0) | Q(counted_km__gt=0) | Q(counted_s__gt=0), name="tariff_unit_is_something"
            ),
            models.CheckConstraint(
                condition=Q(south=None, west=None, north=None, east=None)
                | Q(south__isnull=False, west__isnull=False, north__isnull=False, east__isnull=False)
                & Q(south__lt=F("north"), south__gte=-90, north__lte=90, west__range=(-180, 180))
                & Q(east__range=(-180, 180)),
                name="tariff_area_is_a_box",
            ),
            models.CheckConstraint(
                condition=Q(from_time=None, to_time=None) | Q(from_time__isnull=False, to_time__isnull=False),
                name="tariff_time_has_both_ends",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} from {timezone.localtime(self.valid_from):%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the version; raises `TypeError` for one that exists, whose rides must stay explicable."""
        if not self._state.adding:
            raise TypeError("A tariff is never changed: add a version.")
        super().save(*args, **kwargs)


class Quote(models.Model):
    """A price that was promised for a ride before it was booked."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    latitude = models.FloatField()
    longitude = models.FloatField()
    target_latitude = models.FloatField()
    target_longitude = models.FloatField()
    vehicle_type = models.CharField(max_length=16, choices=VehicleType.choices, blank=True)
    tariff = models.ForeignKey(Tariff, models.PROTECT, null=True, help_text="Empty: that of the environment.")
    rate_per_km = models.PositiveIntegerField(help_text="Of the tariff of the environment.")
    distance_km = models.FloatField()
    total_cost = models.PositiveBigIntegerField()
    lines = models.JSONField()
    created_at = models.DateTimeField(db_index=True)
    valid_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.distance_km:.3f} km: {self.total_cost}"

    @property
    def location(self) -> GeoPoint:
        """The pick-up."""
        return GeoPoint(self.latitude, self.longitude)

    @property
    def target_location(self) -> GeoPoint:
        """Where the passenger wants to go."""
        return GeoPoint(self.target_latitude, self.target_longitude)


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


class ReportedFix(models.Model):
    """A position that a phone reported during a ride."""

    latitude = models.FloatField()
    longitude = models.FloatField()
    received_at = models.DateTimeField(null=True, blank=True, help_text="By the server's clock; unknown of old rides.")
    phone_time = models.DateTimeField(null=True, blank=True, help_text="By the phone's clock, if it said so.")
    connection = models.CharField(max_length=8, blank=True, default="", db_default="")
    accuracy = models.FloatField(null=True, blank=True)
    speed = models.FloatField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ("id",)


class TrackPoint(ReportedFix):
    """A position of the driver. All are kept; `accepted` and `reason` say what the running estimate took of it.

    `timestamp` is when the driver was there, as well as that was known at the time.
    """

    ride = models.ForeignKey(Ride, models.CASCADE, related_name="track")
    timestamp = models.DateTimeField()
    heading = models.FloatField(null=True, blank=True)
    accepted = models.BooleanField()
    reason = models.CharField(max_length=32, blank=True, help_text="Why it was refused.")

    def __str__(self) -> str:
        return f"{self.timestamp:%H:%M:%S} {self.latitude:.5f} {self.longitude:.5f}"


class PassengerPoint(ReportedFix):
    """A position of the passenger during the ride, against which the driver's track is held."""

    ride = models.ForeignKey(Ride, models.CASCADE, related_name="passenger_track")

    def __str__(self) -> str:
        return f"{self.received_at:%H:%M:%S} {self.latitude:.5f} {self.longitude:.5f}"


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
        return f"{self.distance_km} km: {self.cost}"


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
        return f"{self.total_cost} {self.status}"


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


class DeviceReceipt(models.Model):
    """What a user's device has confirmed last. A user without a row never confirms: an older app, not a dead phone."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    seq = models.PositiveBigIntegerField(help_text="The number of the newest notification that was confirmed.")
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user_id} {self.seq}"


class NotificationReceipt(models.Model):
    """When a notification about a match or a ride reached the device of one of its people.

    `key` is the event's: the match or the ride. `status` tells repeated events of one type apart (a payment that is
    asked for and accepted, a match that one side and both have confirmed).
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    type = models.CharField(max_length=64)
    status = models.CharField(max_length=24, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("key", "user", "type", "status"), name="one_receipt_per_event"),)

    def __str__(self) -> str:
        return f"{self.type} {self.key}"


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


class DeviceKind(models.TextChoices):
    """Whose push service wakes a device."""

    WEB_PUSH = "webpush", "Web Push"
    FCM = "fcm", "Firebase Cloud Messaging"
    APNS = "apns", "Apple Push Notification service"


class Device(models.Model):
    """Where a push service wakes a user. The token is a secret of the device and of no interest to staff."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="devices")
    kind = models.CharField(max_length=16, choices=DeviceKind.choices)
    token = models.CharField(max_length=2048, unique=True, help_text="For Web Push the address of the subscription.")
    keys = models.JSONField(default=dict)
    registered_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(kind__in=DeviceKind.values), name="device_kind_known"),)

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"
