"""Two places that several tables keep."""

from __future__ import annotations

from django.db import models

from rides.geo import GeoPoint


class FromPickupToTarget(models.Model):
    """Where a passenger wants to be picked up and where to go, in degrees."""

    latitude = models.FloatField()
    longitude = models.FloatField()
    target_latitude = models.FloatField()
    target_longitude = models.FloatField()

    class Meta:
        abstract = True

    @property
    def location(self) -> GeoPoint:
        """Where the passenger wants to be picked up."""
        return GeoPoint(self.latitude, self.longitude)

    @property
    def target_location(self) -> GeoPoint:
        """Where the passenger wants to go."""
        return GeoPoint(self.target_latitude, self.target_longitude)
