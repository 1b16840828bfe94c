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
