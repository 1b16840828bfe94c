"""The bodies of the REST calls about users."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from common.text import with_ascii_digits, without_format_characters
from users.models import Approval, Driver, Role, User
from users.names import clean_name
from users.phone import MAX_LENGTH, normalise_mobile


class MsisdnField(serializers.CharField):
    """A mobile number in any usual spelling; its value is E.164."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_LENGTH, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the normalised number."""
        try:
            return normalise_mobile(super().to_internal_value(data))
        except ValueError as exc:
            raise serializers.ValidationError(_("This %(problem)s.") % {"problem": exc}) from exc


class CodeField(serializers.CharField):
    """Six digits of any script, with spaces or hyphens between them; its value is `[0-9]{6}`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_LENGTH, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the six digits."""
        text = with_ascii_digits(without_format_characters(super().to_internal_value(data)))
        digits = re.sub(r"[\s\-\u2010-\u2015\uff0d]", "", text)
        if not re.fullmatch(r"[0-9]{6}", digits):
            raise serializers.ValidationError(_("This must be six digits."))
        return digits


class NameField(serializers.CharField):
    """The name of a person (`clean_name`)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=150, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the name as it is kept."""
        try:
            return clean_name(super().to_internal_value(data))
        except ValueError as exc:
            raise serializers.ValidationError(_("This %(problem)s.") % {"problem": exc}) from exc


class CodeSent(serializers.Serializer[None]):
    """The answer to a request for a code."""

    expires_in = serializers.IntegerField(min_value=1, help_text="Seconds for which the code is good.")


class CodeRequest(serializers.Serializer[None]):
    """The number that asks for a code: `POST /api/auth/otp/`."""

    msisdn = MsisdnField(help_text="A mobile number in any usual spelling.")


class LoginRequest(serializers.Serializer[None]):
    """A number and its code: `POST /api/auth/token/`."""

    msisdn = MsisdnField(help_text="A mobile number in any usual spelling.")
    otp = CodeField(help_text="The code that was sent; spaces and hyphens do not count, digits may be of any script.")


class RefreshRequest(serializers.Serializer[None]):
    """The token of `POST /api/auth/refresh/` and `/api/auth/logout/`."""

    refresh = serializers.CharField(max_length=4096, help_text="A refresh token that was not used before.")


class ProfileRequest(serializers.Serializer[None]):
    """The body of `PATCH /api/me/`: unknown fields are ignored, read-only fields are refused."""

    full_name = NameField(allow_blank=True, required=False, help_text="In any script; line breaks are refused.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse read-only fields instead of silently ignoring them."""
        fixed = {"id", "msisdn", "name_confirmed", "role", "is_active", "driver"} & set(self.initial_data)
        if fixed:
            raise serializers.ValidationError(dict.fromkeys(sorted(fixed), _("This cannot be changed.")))
        return attrs


class DriverSerializer(serializers.ModelSerializer[Driver]):
    """A driver's vehicle; the other fields only where there is something to say."""

    class Meta:
        model = Driver
        fields = ("vehicle_type", "vehicle_plate", "approval", "approval_reason", "papers_until")

    def to_representation(self, instance: Driver) -> dict[str, Any]:
        """Leave out what stands against nothing."""
        data: dict[str, Any] = super().to_representation(instance)
        if instance.approval == Approval.APPROVED:
            data.pop("approval")
        if not instance.approval_reason:
            data.pop("approval_reason")
        if instance.papers_until is None:
            data.pop("papers_until")
        return data


class UserSerializer(serializers.ModelSerializer[User]):
    """The profile of the caller; `driver` only for drivers, `name_confirmed` only while it is false."""

    driver = DriverSerializer(read_only=True)

    class Meta:
        model = User
        fields = ("id", "msisdn", "full_name", "name_confirmed", "role", "is_active", "driver")
        read_only_fields = fields

    def to_representation(self, instance: User) -> dict[str, Any]:
        """Leave `driver` out for passengers, and the name until it is confirmed."""
        data: dict[str, Any] = super().to_representation(instance)
        data["full_name"] = instance.shown_name
        if instance.name_confirmed:
            data.pop("name_confirmed")
        if instance.role != Role.DRIVER or data.get("driver") is None:
            data.pop("driver", None)
        return data


class TokenPairSerializer(serializers.Serializer[None]):
    """A new pair of tokens."""

    access = serializers.CharField(help_text="For REST and the WebSocket; ends after `JWT_EXPIRATION`.")
    refresh = serializers.CharField(help_text="For a new pair, once.")


class SessionSerializer(TokenPairSerializer):
    """A new pair of tokens and their user."""

    user = UserSerializer()
