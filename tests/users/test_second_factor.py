from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from users.models import User
from users.second_factor import (
    is_trusted_staff,
    second_factor_check,
    second_factor_create,
    second_factor_remove,
    session_device,
    staff_may,
)


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("+6281200000099", "a long password")


def test_staff_have_rights_where_no_second_factor_is_required(boss: User, putri: User) -> None:
    """Others have none."""
    assert staff_may(boss, "realtime.view_live_map")
    assert not is_trusted_staff(putri)
    assert not is_trusted_staff(AnonymousUser())
    boss.is_active = False
    assert not is_trusted_staff(boss)


def test_staff_have_no_rights_without_a_required_second_factor(boss: User, settings: Any) -> None:
    """An access token, which needs a phone number alone, is not enough."""
    settings.STAFF_SECOND_FACTOR = True
    assert not staff_may(boss, "realtime.view_live_map")
    boss.otp_device = object()
    assert staff_may(boss, "realtime.view_live_map")


def test_a_new_secret_ends_the_old_one(boss: User) -> None:
    """The address that the app scans names the number and us."""
    first = second_factor_create(user=boss)
    second = second_factor_create(user=boss)
    assert first != second
    assert second.startswith("otpauth://totp/NebengJek")
    assert TOTPDevice.objects.count() == 1
    code = f"{TOTP(TOTPDevice.objects.get().bin_key).token():06d}"
    assert second_factor_check(boss, f" {code[:3]}-{code[3:]}") == TOTPDevice.objects.get()
    assert second_factor_check(boss, code) is None
    assert (second_factor_remove(user=boss), second_factor_remove(user=boss)) == (True, False)


def test_a_session_keeps_its_device_while_it_is_the_users(boss: User, putri: User) -> None:
    """A device that was taken away, or somebody else's, is none."""
    second_factor_create(user=boss)
    device = TOTPDevice.objects.get()
    assert session_device(boss, device.persistent_id) == device
    assert session_device(putri, device.persistent_id) is None
    for nonsense in ("", "x", "otp_totp.totpdevice/99", "a.b/1"):
        assert session_device(boss, nonsense) is None
