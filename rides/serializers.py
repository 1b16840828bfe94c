"""The bodies of the REST calls about rides."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from common.text import in_one_line, with_ascii_digits
from rides.geo import GeoPoint
from users.models import VehicleType

PLATE = re.compile(r"[A-Z0-9][A-Z0-9 -]{0,14}[A-Z0-9]")


class PlaceSerializer(serializers.Serializer[None]):
    """A place, in degrees (WGS 84)."""

    latitude = serializers.FloatField(min_value=-90, max_value=90)
    longitude = serializers.FloatField(min_value=-180, max_value=180)

    def to_internal_value(self, data: Any) -> Any:
        """Return the place."""
        return GeoPoint(**super().to_internal_value(data))


class QuoteRequest(serializers.Serializer[None]):
    """A ride of which the price is wanted: `POST /api/quotes/`."""

    location = PlaceSerializer()
    target_location = PlaceSerializer()
    vehicle_type = serializers.ChoiceField(VehicleType.choices, required=False, allow_null=True)


class DriverRequest(serializers.Serializer[None]):
    """A vehicle: `POST /api/drivers/`."""

    vehicle_type = serializers.ChoiceField(VehicleType.choices)
    vehicle_plate = serializers.CharField(
        min_length=2, max_length=16, help_text="2 to 16 letters, digits, spaces or hyphens."
    )

    def validate_vehicle_plate(self, value: str) -> str:
        """Return the plate in capitals with single spaces."""
        plate = with_ascii_digits(in_one_line(value)).upper()
        if not PLATE.fullmatch(plate):
            raise serializers.ValidationError(_("This must be 2 to 16 letters, digits, spaces or hyphens."))
        return plate
