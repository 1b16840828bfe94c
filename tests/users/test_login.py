from typing import Any

import pytest
from django.test import Client

from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("+6281200000099", "a long password")


def log_in(password: str, address: str = "203.0.113.7") -> tuple[int, str]:
    body = {"username": "+6281200000099", "password": password, "next": "/admin/"}
    answer = Client(REMOTE_ADDR=address).post("/admin/login/", body)
    return answer.status_code, answer.content.decode()


def test_who_guesses_passwords_is_refused_for_a_while_also_the_right_one(settings: Any, boss: User) -> None:
    settings.ADMIN_LOGIN_TRIES = 3
    for _ in range(3):
        assert "Please enter the correct" in log_in("wrong")[1]
    status, page = log_in("a long password")
    assert status == 200
    assert "At most 3 wrong passwords a minute" in page
    assert log_in("a long password", "198.51.100.1")[0] == 302


def test_right_passwords_are_not_counted_and_zero_is_no_limit(settings: Any, boss: User) -> None:
    settings.ADMIN_LOGIN_TRIES = 1
    assert [log_in("a long password")[0] for _ in range(3)] == [302] * 3
    settings.ADMIN_LOGIN_TRIES = 0
    for _ in range(3):
        assert "Please enter the correct" in log_in("wrong")[1]
