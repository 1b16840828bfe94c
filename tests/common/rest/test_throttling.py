from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from users.models import User
from users.tokens import tokens_issue

pytestmark = pytest.mark.django_db


def test_open_calls_are_limited_by_address_and_say_when_to_come_back(settings: Any) -> None:
    settings.API_THROTTLE = 3

    def post(address: str) -> Any:
        return Client().post("/api/auth/token/", {}, content_type="application/json", REMOTE_ADDR=address)

    assert [post("10.0.0.1").status_code for _ in range(4)] == [400, 400, 400, 429]
    answer = post("10.0.0.1")
    assert answer.json()["code"] == "RATE_LIMIT"
    assert 0 < int(answer["Retry-After"]) <= 60
    assert post("10.0.0.2").status_code == 400


def test_codes_are_counted_by_the_address_that_a_trusted_proxy_names(settings: Any) -> None:
    settings.OTP_MAX_PER_HOUR, settings.TRUSTED_PROXIES = 1, ["10.0.0.1"]

    def ask(forwarded: str, peer: str = "10.0.0.1") -> int:
        client = Client(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
        answer = client.post("/api/auth/otp/", {"msisdn": "+6281200000001"}, content_type="application/json")
        return answer.status_code

    assert [ask("203.0.113.7"), ask("203.0.113.7"), ask("198.51.100.1")] == [202, 429, 202]
    assert [ask("8.8.8.8", "9.9.9.9"), ask("8.8.4.4", "9.9.9.9")] == [202, 429]  # nobody is believed about himself


def test_people_with_a_token_are_counted_by_themselves(settings: Any, putri: User, sari: User) -> None:
    """A campus behind one address shares no limit, and a user has one limit at all addresses."""
    settings.API_THROTTLE = 2
    for user in (putri, sari):
        token = f"Bearer {tokens_issue(user)['access']}"
        calls = [
            Client(REMOTE_ADDR=f"10.0.0.{host}").get("/api/me/", headers={"Authorization": token}).status_code
            for host in (1, 1, 2)
        ]
        assert calls == [200, 200, 429]


def test_refreshes_are_counted_by_the_owner_of_the_token(settings: Any, putri: User, sari: User) -> None:
    """All phones of a carrier refresh after a restart; a token without a good signature counts for its address."""
    settings.API_THROTTLE = 1

    def refresh(token: str) -> int:
        body = {"refresh": token}
        return Client().post("/api/auth/refresh/", body, content_type="application/json").status_code

    assert [refresh(tokens_issue(user)["refresh"]) for user in (putri, sari)] == [200, 200]
    assert refresh(tokens_issue(putri)["refresh"]) == 429
    assert [refresh("nonsense"), refresh("other nonsense")] == [401, 429]


def test_many_addresses_are_remembered() -> None:
    """The cache of one process drops entries beyond its limit, by default beyond 300."""
    for number in range(1000):
        cache.set(f"throttle:{number}", [1.0], 60)
    assert cache.get("throttle:0") == [1.0]
