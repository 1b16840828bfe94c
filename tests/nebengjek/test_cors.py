"""REST from the pages of other origins."""

from typing import Any

import pytest
from django.test import Client

APP = "https://app.example"


@pytest.fixture(autouse=True)
def _origins(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]


@pytest.mark.django_db
def test_allowed_origins_may_call_rest() -> None:
    """A preflight without a token is answered, and answers, also refusals, carry the header."""
    asked = {"origin": APP, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    preflight = Client().options("/api/auth/otp/", headers=asked)
    assert preflight.status_code == 200
    assert preflight["access-control-allow-origin"] == APP
    assert "authorization" in preflight["access-control-allow-headers"]
    answer = Client().get("/api/me/", headers={"origin": APP})
    assert (answer.status_code, answer["access-control-allow-origin"]) == (401, APP)
    assert "access-control-allow-credentials" not in answer


@pytest.mark.django_db
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.example", f"{APP}.evil.example", ""])
def test_other_origins_may_not(origin: str) -> None:
    """No other origin gets the header."""
    assert "access-control-allow-origin" not in Client().get("/api/me/", headers={"origin": origin})


@pytest.mark.django_db
def test_only_rest_is_opened() -> None:
    """Pages, the admin and health answer no foreign page."""
    for path in ("/", "/admin/login/", "/health/live"):
        assert "access-control-allow-origin" not in Client().get(path, headers={"origin": APP})
