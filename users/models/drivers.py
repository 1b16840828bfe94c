"""Drivers: their vehicles, whether they may drive, and their papers."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from users.models.people import User


class VehicleType(models.TextChoices):
    """The kinds of vehicles."""

    MOTORCYCLE = "motorcycle"
    CAR = "car"
    VAN = "van"


class Approval(models.TextChoices):
    """Whether staff let somebody drive. `PENDING` stands against it only with `DRIVER_APPROVAL`."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"


class Driver(models.Model):
    """The vehicle of a user with the role `driver`."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="driver")
    vehicle_type = models.CharField(max_length=16, choices=VehicleType.choices)
    vehicle_plate = models.CharField(max_length=16)
    approval = models.CharField(
        max_length=16,
        choices=Approval.choices,
        default=Approval.APPROVED,
        db_default=Approval.APPROVED,
        help_text="A new driver is approved at once without DRIVER_APPROVAL.",
    )
    approval_reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    approval_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When it changed last: by a decision, or by a vehicle that waits for one.",
    )
    papers_until = models.DateField(
        null=True, blank=True, help_text="The last day on which all papers are valid; none: no paper expires."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        permissions = (("approve_driver", "Can approve and refuse drivers, and record their papers"),)
        constraints = (
            models.CheckConstraint(condition=Q(vehicle_type__in=VehicleType.values), name="driver_vehicle_known"),
            models.CheckConstraint(condition=Q(approval__in=Approval.values), name="driver_approval_known"),
        )

    def __str__(self) -> str:
        return f"{self.user} · {self.vehicle_plate}"

    @property
    def may_drive(self) -> bool:
        """Whether offers may be made: approved, and no paper has expired. A paper is valid until midnight."""
        return may_drive(self.approval, self.papers_until)


class PaperKind(models.TextChoices):
    """The papers of a driver."""

    LICENCE = "licence", "driving licence (SIM)"
    REGISTRATION = "registration", "vehicle registration (STNK)"
    INSURANCE = "insurance", "insurance"
    POLICE = "police", "police record (SKCK)"


class Paper(models.Model):
    """A paper that staff have seen. Its number is not kept; the newest of a kind counts."""

    driver = models.ForeignKey(Driver, models.CASCADE, related_name="papers")
    kind = models.CharField(max_length=16, choices=PaperKind.choices)
    expires_on = models.DateField(help_text="The last day on which it is valid.")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("driver", "kind"), name="one_paper_of_a_kind"),
            models.CheckConstraint(condition=Q(kind__in=PaperKind.values), name="paper_kind_known"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} until {self.expires_on}"


def may_drive(approval: str | None, papers_until: date | None) -> bool:
    """Return whether a driver with these columns may get offers today, by the calendar of `TIME_ZONE`."""
    if papers_until is not None and papers_until < timezone.localdate():
        return False
    refused = {Approval.REFUSED, Approval.PENDING} if settings.DRIVER_APPROVAL else {Approval.REFUSED}
    return approval not in refused
