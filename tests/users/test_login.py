from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from users.models import KnownAddress, StaffAct, StaffRecord, Suspicion, User
from users.tallies import tallies

pytestmark = pytest.mark.django_db
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.1"
NUMBER, PASSWORD = "+6281200000099", "a long password"


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser(NUMBER, PASSWORD)


def log_in(password: str, address: str = HOME, username: str = NUMBER, **more: str) -> tuple[int, str]:
    body = {"username": username, "password": password, "next": "/admin/", **more}
    answer = Client(REMOTE_ADDR=address).post("/admin/login/", body)
    return answer.status_code, answer.content.decode()


def acts() -> list[str]:
    return list(StaffRecord.objects.order_by("pk").values_list("act", flat=True))


def test_who_guesses_passwords_is_refused_for_a_while(settings: Any, boss: User) -> None:
    """Also the right one is not looked at; another address may try."""
    settings.ADMIN_LOGIN_TRIES = 3
    for _ in range(3):
        assert "Please enter the correct" in log_in("wrong")[1]
    status, page = log_in(PASSWORD)
    assert status == 200
    assert "Too many wrong passwords" in page
    assert log_in(PASSWORD, ELSEWHERE)[0] == 302
    assert tallies()[Suspicion.WRONG_PASSWORD] == 3
    assert tallies()[Suspicion.PASSWORDS_LIMITED] == 1


def test_an_account_is_not_tried_from_many_addresses(settings: Any, boss: User) -> None:
    """Its owner is not locked out where they logged in before."""
    settings.ADMIN_LOGIN_TRIES, settings.ADMIN_LOGIN_TRIES_PER_ACCOUNT = 3, 5
    assert log_in(PASSWORD)[0] == 302
    assert KnownAddress.objects.get().address == HOME
    for host in range(5):
        log_in("wrong", f"198.51.100.{host}", username="0812 0000 0099")
    assert "Too many wrong passwords" in log_in(PASSWORD, "192.0.2.1")[1]
    assert log_in(PASSWORD)[0] == 302


def test_right_passwords_are_not_counted_and_zero_is_no_limit(settings: Any, boss: User) -> None:
    """Limits are for those who guess."""
    settings.ADMIN_LOGIN_TRIES = 1
    assert [log_in(PASSWORD)[0] for _ in range(3)] == [302] * 3
    settings.ADMIN_LOGIN_TRIES = settings.ADMIN_LOGIN_TRIES_PER_ACCOUNT = 0
    for _ in range(3):
        assert "Please enter the correct" in log_in("wrong")[1]


def test_every_try_is_recorded(settings: Any, boss: User) -> None:
    """With the address and the account, and never with what was typed."""
    settings.ADMIN_LOGIN_TRIES = 2
    log_in(PASSWORD)
    log_in("wrong", username="my password in the wrong field")
    log_in("wrong")
    log_in(PASSWORD)
    assert acts() == [StaffAct.LOGIN, StaffAct.LOGIN_FAILED, StaffAct.LOGIN_FAILED, StaffAct.LOGIN_LIMITED]
    assert set(StaffRecord.objects.values_list("address", flat=True)) == {HOME}
    assert set(StaffRecord.objects.values_list("actor_id", flat=True)) == {boss.pk, None}
    assert "wrong field" not in str(list(StaffRecord.objects.values()))


def test_with_a_second_factor_a_password_is_not_enough(settings: Any, boss: User) -> None:
    """The code of the app logs in, once, with spaces and in any script's digits."""
    settings.STAFF_SECOND_FACTOR = True
    assert "authenticator app" in log_in(PASSWORD)[1]
    call_command("second_factor", NUMBER)
    device = TOTPDevice.objects.get()
    with time_machine.travel("2026-05-31T12:00:00Z", tick=False):
        totp = TOTP(device.bin_key)
        code = f"{totp.token():06d}"
        assert "Please enter the current code" in log_in(PASSWORD, otp_token=f"{(int(code) + 1) % 10**6:06d}")[1]
    with time_machine.travel("2026-05-31T12:10:00Z", tick=False):
        code = f"{TOTP(device.bin_key).token():06d}"
        typed = "".join(chr(0x660 + int(digit)) for digit in code)
        assert log_in(PASSWORD, otp_token=f"{typed[:3]} {typed[3:]}")[0] == 302
        assert log_in(PASSWORD, otp_token=code)[0] == 200


def test_a_session_without_the_second_factor_sees_nothing(settings: Any, client: Client, boss: User) -> None:
    """Neither one from before the setting nor one of the live map."""
    client.force_login(boss)
    assert client.get("/admin/").status_code == client.get("/live/").status_code == 200
    settings.STAFF_SECOND_FACTOR = True
    assert client.get("/admin/").status_code == client.get("/live/").status_code == 302
    assert client.get("/api/realtime/stats/").status_code == 403
