"""The bodies of the REST calls about rides."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from common.text import in_one_line, with_ascii_digits
from rides.geo import GeoPoint
from rides.models import DeviceKind
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


class DeviceRequest(serializers.Serializer[None]):
    """A device that a push service can wake: `POST /api/me/devices/`."""

    kind = serializers.ChoiceField(DeviceKind.choices)
    token = serializers.CharField(
        max_length=2048, help_text="Of FCM or APNs; for Web Push the `endpoint` of the browser's subscription."
    )
    keys = serializers.DictField(
        child=serializers.CharField(max_length=512),
        required=False,
        default=dict,
        help_text="For Web Push the `keys` of the subscription: `p256dh` and `auth`.",
    )


class DeviceSerializer(serializers.Serializer[None]):
    """A registered device."""

    device_id = serializers.UUIDField(help_text="By this it is removed.")
    kind = serializers.ChoiceField(DeviceKind.choices)
    registered_at = serializers.DateTimeField(help_text="When it was registered last.")


class DevicesSerializer(serializers.Serializer[None]):
    """The devices of a user, and what an app needs to register one."""

    kinds = serializers.ListField(
        child=serializers.CharField(), help_text="The kinds of devices that this server pushes to."
    )
    application_server_key = serializers.CharField(
        allow_blank=True, help_text="For `pushManager.subscribe` of a browser; empty without Web Push."
    )
    devices = DeviceSerializer(many=True)
