"""Login to the admin: wrong passwords are counted by address and by account, and every try is recorded.

Counted by address, so that nobody tries many accounts; by account, so that nobody tries one from many addresses. Where
the owner of an account logged in before, only the address counts: strangers cannot lock the owner out there.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common import clock
from common.rest.throttling import network_of_request
from users.models import KnownAddress, StaffAct, Suspicion, User
from users.second_factor import second_factor_check
from users.staff.records import record_act
from users.tallies import tally_add

WINDOW = 60
"""Seconds for which wrong tries of an address are counted."""

ACCOUNT_WINDOW = 900
"""Seconds for which wrong tries at an account are counted."""


class CountedLogin(AdminAuthenticationForm):
    """Refuses to look at passwords after too many wrong ones; asks for the second factor where that is required."""

    otp_token = forms.CharField(
        label=gettext_lazy("Code of your authenticator app"),
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.STAFF_SECOND_FACTOR:
            del self.fields["otp_token"]

    def clean(self) -> dict[str, Any]:
        """Check the password and the code, unless there were too many wrong ones before."""
        assert isinstance(self.request, HttpRequest)
        network = network_of_request(self.request)
        user = _account(self.cleaned_data.get("username"))
        counters = list(_counters(network, user))
        if any(limit and cache.get(key, 0) >= limit for key, limit, _window in counters):
            if cache.add(f"admin-login:limited:{network}", 1, WINDOW):  # one record, however many tries
                self._record(StaffAct.LOGIN_LIMITED, user)
            tally_add(Suspicion.PASSWORDS_LIMITED)
            raise ValidationError(_("Too many wrong passwords; try again later."), code="rate_limit")
        try:
            cleaned = super().clean()
            self._check_second_factor()
        except ValidationError:
            for key, _limit, window in counters:
                cache.add(key, 0, window)
                cache.incr(key)
            self._record(StaffAct.LOGIN_FAILED, user)
            tally_add(Suspicion.WRONG_PASSWORD)
            raise
        self._record(StaffAct.LOGIN, user)
        KnownAddress.objects.update_or_create(user=user, address=network, defaults={"last_login_at": clock.now()})
        return cleaned

    def _check_second_factor(self) -> None:
        user = self.get_user()
        if not settings.STAFF_SECOND_FACTOR or user is None:
            return
        user.otp_device = second_factor_check(user, self.cleaned_data.get("otp_token", ""))
        if user.otp_device is None:
            raise ValidationError(_("Please enter the current code of your authenticator app."), code="second_factor")

    def _record(self, act: StaffAct, user: User | None) -> None:
        assert isinstance(self.request, HttpRequest)
        record_act(self.request, act, actor_id=user.pk if user else None)


def _account(username: str | None) -> User | None:
    try:
        return User.objects.get_by_natural_key(username)
    except User.DoesNotExist:
        return None


def _counters(network: str, user: User | None) -> list[tuple[str, int, int]]:
    """Return what counts a wrong try: key, limit, and seconds for which it is counted."""
    by_address = (f"admin-login:{network}", settings.ADMIN_LOGIN_TRIES, WINDOW)
    if user is None or KnownAddress.objects.filter(user=user, address=network).exists():
        return [by_address]
    return [by_address, (f"admin-login:user:{user.pk}", settings.ADMIN_LOGIN_TRIES_PER_ACCOUNT, ACCOUNT_WINDOW)]
