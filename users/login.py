"""Login to the admin: wrong passwords are counted by address."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from common.rest.throttling import network_of_request

WINDOW = 60
"""Seconds for which wrong tries are counted."""


class CountedLogin(AdminAuthenticationForm):
    """Refuses all passwords from an address that sent `ADMIN_LOGIN_TRIES` wrong ones within a minute."""

    def clean(self) -> dict[str, Any]:
        """Check the password, unless there were too many wrong ones before."""
        assert isinstance(self.request, HttpRequest)
        key = f"admin-login:{network_of_request(self.request)}"
        if settings.ADMIN_LOGIN_TRIES and cache.get(key, 0) >= settings.ADMIN_LOGIN_TRIES:
            text = f"At most {settings.ADMIN_LOGIN_TRIES} wrong passwords a minute; try again in a minute."
            raise ValidationError(text, code="rate_limit")
        try:
            return super().clean()
        except ValidationError:
            cache.add(key, 0, WINDOW)
            cache.incr(key)
            raise
