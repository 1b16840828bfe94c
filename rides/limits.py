"""What a fix must be like to be believed, by the settings of today."""

from __future__ import annotations

from django.conf import settings

from rides.metering import first_rule
from rides.metering.fixes import Limits
from rides.models import Ride


def limits_now(vehicle_type: str = "") -> Limits:
    """Return the limits for a kind of vehicle, or for any."""
    fastest = float(settings.RIDES_MAX_SPEED_KMH)
    own = settings.RIDES_MAX_SPEEDS_KMH.get(vehicle_type)
    return Limits(float(settings.RIDES_MAX_ACCURACY_M), min(fastest, float(own)) if own is not None else fastest)


def limits_of(ride: Ride) -> Limits:
    """Return the limits under which a ride was booked; rides of the first rule have those of today."""
    if ride.meter_rule == first_rule.RULE:
        return limits_now()
    return Limits(ride.max_accuracy_m, ride.max_speed_kmh)
