"""What rides cost, and what was quoted before one."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from rides.models.places import FromPickupToTarget
from users.models import VehicleType


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


class Quote(FromPickupToTarget):
    """A price that was promised for a ride before it was booked."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
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
