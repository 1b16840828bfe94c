"""Headers that keep answers private."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["/api/me/", "/api/rides/", "/api/nothing/", "/admin/login/", "/live/", "/health/live", "/metrics"]
)
def test_what_may_be_personal_is_stored_nowhere(path: str) -> None:
    """Tokens, people and the inside of the system stay in no cache, whatever the answer."""
    assert "no-store" in Client().get(path).headers["Cache-Control"]


def test_documents_may_be_kept() -> None:
    """A view that says how long its answer holds is left alone."""
    assert "no-store" not in Client().get("/api/schema/").headers["Cache-Control"]


@pytest.mark.parametrize(
    ("debug", "url", "header"),
    [
        (False, "https://api.example.com", "max-age=31536000"),
        (True, "https://api.example.com", None),
        (False, "http://127.0.0.1:8000", None),
    ],
)
def test_tls_is_kept_to(settings: Any, debug: bool, url: str, header: str | None) -> None:
    """Browsers that have come by TLS stay with it, unless it is development."""
    settings.DEBUG, settings.PUBLIC_URL = debug, url
    for path in ("/health/live", "/api/me/", "/docs/"):
        assert Client().get(path).headers.get("Strict-Transport-Security") == header


def test_tls_may_be_left_to_the_proxy(settings: Any) -> None:
    """A period of nothing says nothing."""
    settings.DEBUG, settings.PUBLIC_URL, settings.HSTS_PERIOD = False, "https://api.example.com", timedelta(0)
    assert "Strict-Transport-Security" not in Client().get("/health/live").headers
