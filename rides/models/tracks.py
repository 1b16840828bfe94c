"""The positions of a ride."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from rides.geo import GeoPoint
from rides.models.rides import Ride


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

    @property
    def place(self) -> GeoPoint:
        """Where the phone was."""
        return GeoPoint(self.latitude, self.longitude)


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
        return f"{timezone.localtime(self.timestamp):%H:%M:%S} {self.latitude:.5f} {self.longitude:.5f}"


class PassengerPoint(ReportedFix):
    """A position of the passenger during the ride, against which the driver's track is held."""

    ride = models.ForeignKey(Ride, models.CASCADE, related_name="passenger_track")

    def __str__(self) -> str:
        return f"{timezone.localtime(self.received_at):%H:%M:%S} {self.latitude:.5f} {self.longitude:.5f}"
