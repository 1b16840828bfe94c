"""The second factor of staff: a code of an authenticator app (TOTP, RFC 6238), by django-otp.

With `STAFF_SECOND_FACTOR` staff have their rights only in a session of the admin that such a code has begun; an access
token, which needs a phone number alone, gives none. `manage.py second_factor` sets somebody's app up.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django_otp import match_token
from django_otp.models import Device
from django_otp.plugins.otp_totp.models import TOTPDevice

from common.text import with_ascii_digits
from users.models import User


def is_trusted_staff(user: Any) -> bool:
    """Return whether a request's user is staff and has given the second factor where that is required."""
    if not (user.is_active and getattr(user, "is_staff", False)):
        return False
    return not settings.STAFF_SECOND_FACTOR or getattr(user, "otp_device", None) is not None


def staff_may(user: Any, permission: str) -> bool:
    """Return whether a request's user is staff with a permission."""
    return is_trusted_staff(user) and user.has_perm(permission)


def second_factor_check(user: User, typed: str) -> TOTPDevice | None:
    """Return the device whose code was typed; each code works once, and wrong ones make the device wait longer."""
    code = "".join(char for char in with_ascii_digits(typed) if char.isdecimal())
    device: TOTPDevice | None = match_token(user, code)
    return device


def session_device(user: User, device_id: str) -> TOTPDevice | None:
    """Return the device that has begun a session (`DEVICE_ID_SESSION_KEY`), if it still is the user's."""
    device = Device.from_persistent_id(device_id) if device_id else None
    is_good = isinstance(device, TOTPDevice) and device.user_id == user.pk and device.confirmed
    return device if is_good else None


@transaction.atomic
def second_factor_create(*, user: User) -> str:
    """Give a user a new secret, which replaces the old one; return it as an `otpauth://` address for the app."""
    TOTPDevice.objects.filter(user=user).delete()
    url: str = TOTPDevice.objects.create(user=user, name="authenticator app", confirmed=True).config_url
    return url


def second_factor_remove(*, user: User) -> bool:
    """Take a user's second factor away; return whether there was one."""
    return bool(TOTPDevice.objects.filter(user=user).delete()[0])
