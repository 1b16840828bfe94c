from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from common.errors import RateLimited
from users.codes import CodesCapped, code_check, code_create, code_take, codes_of_the_hour, purge_codes
from users.models import KnownAddress, OneTimeCode, User

pytestmark = pytest.mark.django_db
NUMBER = "+6281200000001"
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.1"


def code_use(*, msisdn: str, code: str, address: str = "") -> bool:
    row = code_check(msisdn=msisdn, code=code, address=address)
    return row is not None and code_take(row)


def other(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_the_right_code_works_once() -> None:
    code = code_create(msisdn=NUMBER)
    assert len(code) == 6
    assert code.isdigit()
    assert code_use(msisdn=NUMBER, code=code)
    assert not code_use(msisdn=NUMBER, code=code)


def test_a_code_is_of_one_number() -> None:
    code = code_create(msisdn=NUMBER)
    code_create(msisdn="+6281200000002")
    assert not code_use(msisdn="+6281200000003", code=code)
    assert code_use(msisdn=NUMBER, code=code)


def test_a_code_dies_after_five_wrong_tries() -> None:
    code = code_create(msisdn=NUMBER)
    for _ in range(5):
        assert not code_use(msisdn=NUMBER, code=other(code))
    assert not code_use(msisdn=NUMBER, code=code)


def test_a_code_survives_four_wrong_tries() -> None:
    code = code_create(msisdn=NUMBER)
    for _ in range(4):
        assert not code_use(msisdn=NUMBER, code=other(code))
    assert code_use(msisdn=NUMBER, code=code)


def test_a_code_expires() -> None:
    code = code_create(msisdn=NUMBER)
    OneTimeCode.objects.update(expires_at=timezone.now())
    assert not code_use(msisdn=NUMBER, code=code)


@pytest.mark.parametrize("typed", [1, 2])
def test_the_last_two_codes_work(settings: Any, typed: int) -> None:
    """Either of the last two codes logs in, once, and ends the other; the one before them has ended."""
    settings.OTP_MAX_TRIES = 10
    codes = [code_create(msisdn=NUMBER, limit=0) for _ in range(3)]
    assert codes[0] in codes[1:] or not code_use(msisdn=NUMBER, code=codes[0])
    assert code_use(msisdn=NUMBER, code=codes[typed])
    assert not any(code_use(msisdn=NUMBER, code=code) for code in codes)


def test_two_codes_do_not_double_the_tries() -> None:
    """A guess is a try at both codes."""
    codes = [code_create(msisdn=NUMBER) for _ in range(2)]
    wrong = next(code for code in map("{:06d}".format, range(9)) if code not in codes)
    for _ in range(5):
        assert not code_use(msisdn=NUMBER, code=wrong)
    assert not any(code_use(msisdn=NUMBER, code=code) for code in codes)


def test_a_code_that_is_used_meanwhile_takes_one_try() -> None:
    """Of two calls at once one uses the code between the other's two looks."""
    code = code_create(msisdn=NUMBER, address=HOME)
    asked: list[str] = []

    def use(execute: Any, sql: str, *rest: Any) -> Any:
        found = execute(sql, *rest)
        asked.append(sql)
        if sum("ORDER BY" in one for one in asked) == 1 and "ORDER BY" in sql:
            OneTimeCode.objects.update(used_at=timezone.now())
        return found

    with connection.execute_wrapper(use):
        row = code_check(msisdn=NUMBER, code=code, address=HOME)
    assert row is not None
    assert OneTimeCode.objects.get().tries == 1


def test_the_code_itself_is_not_kept() -> None:
    code = code_create(msisdn=NUMBER)
    row = OneTimeCode.objects.get()
    assert code not in row.code_hash
    assert len(row.code_hash) == 64


def test_only_so_many_codes_go_to_a_number_in_an_hour(settings: Any) -> None:
    settings.OTP_MAX_PER_HOUR = 3
    for _ in range(3):
        code_create(msisdn=NUMBER)
    with pytest.raises(RateLimited) as caught:
        code_create(msisdn=NUMBER)
    assert 3590 < caught.value.retry_after <= 3600
    code_create(msisdn="+6281200000002")
    OneTimeCode.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    code_create(msisdn=NUMBER)


def test_a_stranger_who_asks_for_codes_does_not_keep_the_owner_from_his(settings: Any) -> None:
    settings.OTP_MAX_PER_HOUR = 3
    code = code_create(msisdn=NUMBER, address=HOME)
    for _ in range(3):
        code_create(msisdn=NUMBER, address=ELSEWHERE)
    with pytest.raises(RateLimited):
        code_create(msisdn=NUMBER, address=ELSEWHERE)
    assert code_use(msisdn=NUMBER, code=code, address=HOME)
    code_create(msisdn=NUMBER, address=HOME)


def test_a_stranger_who_guesses_does_not_use_up_the_tries_of_the_owner() -> None:
    code = code_create(msisdn=NUMBER, address=HOME)
    for _ in range(5):
        assert not code_use(msisdn=NUMBER, code=other(code), address=ELSEWHERE)
    assert not code_use(msisdn=NUMBER, code=code, address=ELSEWHERE)
    assert code_use(msisdn=NUMBER, code=code, address=HOME)


def test_a_stranger_with_a_code_of_his_own_has_no_more_tries() -> None:
    code = code_create(msisdn=NUMBER, address=HOME)
    his = code_create(msisdn=NUMBER, address=ELSEWHERE)
    for _ in range(5):
        assert not code_use(msisdn=NUMBER, code=other(his), address=ELSEWHERE)
    assert not code_use(msisdn=NUMBER, code=his, address=ELSEWHERE)
    assert code == his or not code_use(msisdn=NUMBER, code=code, address=ELSEWHERE)


def test_a_phone_may_move_to_another_network_before_the_code_comes() -> None:
    code = code_create(msisdn=NUMBER, address=HOME)
    assert code_use(msisdn=NUMBER, code=code, address=ELSEWHERE)
    assert not code_use(msisdn=NUMBER, code=code, address=HOME)


def test_many_strangers_cannot_flood_a_number(settings: Any) -> None:
    settings.OTP_MAX_PER_HOUR = 3
    for host in range(9):
        code_create(msisdn=NUMBER, address=f"198.51.100.{host}")
    with pytest.raises(RateLimited, match="At most 9 codes are sent to a number within an hour"):
        code_create(msisdn=NUMBER, address=HOME)


def test_one_address_cannot_flood_many_numbers(settings: Any) -> None:
    settings.OTP_MAX_PER_HOUR, settings.OTP_MAX_PER_ADDRESS = 3, 5
    for last in range(5):
        code_create(msisdn=f"+628120000010{last}", address=HOME)
    with pytest.raises(RateLimited, match="At most 5 codes are sent for one address within an hour"):
        code_create(msisdn=NUMBER, address=HOME)
    code_create(msisdn=NUMBER, address=ELSEWHERE)
    settings.OTP_MAX_PER_ADDRESS = 0
    code_create(msisdn=NUMBER, address=HOME)


def log_in_from(address: str) -> User:
    user = User.objects.create_user(NUMBER)
    KnownAddress.objects.create(user=user, address=address, last_login_at=timezone.now())
    return user


def test_nobody_locks_an_owner_out_of_a_known_address(settings: Any) -> None:
    """No limit that strangers use up counts where the owner logged in before."""
    settings.OTP_MAX_PER_HOUR, settings.OTP_MAX_PER_ADDRESS, settings.OTP_MAX_PER_HOUR_OVERALL = 3, 5, 10
    for host in range(9):
        code_create(msisdn=NUMBER, address=f"198.51.100.{host}")
    for last in range(5):
        code_create(msisdn=f"+628120000010{last}", address=HOME, limit=0)
    with pytest.raises(RateLimited):
        code_create(msisdn=NUMBER, address=HOME)
    log_in_from(HOME)
    for _ in range(3):
        code = code_create(msisdn=NUMBER, address=HOME)
    with pytest.raises(RateLimited, match="At most 3 codes"):
        code_create(msisdn=NUMBER, address=HOME)
    assert code_use(msisdn=NUMBER, code=code, address=HOME)


def test_strangers_tries_leave_the_owner_theirs_at_a_known_address() -> None:
    """An owner who asks on the mobile network and types the code at home is not locked out by guesses."""
    code = code_create(msisdn=NUMBER, address="192.0.2.1")
    log_in_from(HOME)
    for _ in range(5):
        assert not code_use(msisdn=NUMBER, code=other(code), address=ELSEWHERE)
    assert code_use(msisdn=NUMBER, code=code, address=HOME)


def test_all_codes_together_are_capped(settings: Any) -> None:
    """Fraud with message fees ends at the cap, for numbers and addresses without end."""
    settings.OTP_MAX_PER_HOUR, settings.OTP_MAX_PER_HOUR_OVERALL = 3, 4
    for last in range(4):
        code_create(msisdn=f"+628120000010{last}", address=f"198.51.100.{last}")
    with pytest.raises(CodesCapped) as caught:
        code_create(msisdn=NUMBER, address=HOME)
    assert "4" not in caught.value.message
    assert 3590 < caught.value.retry_after <= 3600
    assert codes_of_the_hour() == 4
    settings.OTP_MAX_PER_HOUR_OVERALL = 0
    code_create(msisdn=NUMBER, address=HOME)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_no_more_get_codes_than_may(settings: Any) -> None:
    settings.OTP_MAX_PER_HOUR = 3

    def ask(_: int) -> bool:
        try:
            code_create(msisdn=NUMBER, address=HOME)
        except RateLimited:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(24))) == 3


def test_old_codes_are_deleted() -> None:
    code_create(msisdn=NUMBER)
    assert purge_codes() == 0
    OneTimeCode.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert purge_codes() == 1
