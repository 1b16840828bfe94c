from typing import Any

import pytest
from django.test import Client

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
