from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from nebengjek.errors import RateLimited
from users.codes import code_create, code_use, purge_codes
from users.models import OneTimeCode

pytestmark = pytest.mark.django_db
NUMBER = "+6281200000001"


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


def test_a_new_code_ends_the_one_before() -> None:
    first = code_create(msisdn=NUMBER)
    second = code_create(msisdn=NUMBER)
    assert first == second or not code_use(msisdn=NUMBER, code=first)
    assert code_use(msisdn=NUMBER, code=second)


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


def test_old_codes_are_deleted() -> None:
    code_create(msisdn=NUMBER)
    assert purge_codes() == 0
    OneTimeCode.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert purge_codes() == 1
