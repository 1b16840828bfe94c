"""Headers that keep what is answered between the server and the one who asked."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

PERSONAL = ("/api/", "/admin/", "/live/", "/health/", "/metrics")
"""What begins like this may show people, tokens or the inside of the system."""


class PrivacyMiddleware:
    """Adds `Cache-Control: no-store` under `PERSONAL`, and `Strict-Transport-Security` where people come over TLS.

    A view that says itself how its answer may be cached is left alone. Django's own HSTS would need to know the scheme
    of each request from a proxy; browsers ignore the header on plain HTTP anyway (RFC 6797, section 8.1).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, with the headers."""
        response = self.get_response(request)
        if request.path.startswith(PERSONAL):
            response.headers.setdefault("Cache-Control", "no-store")
        period = int(settings.HSTS_PERIOD.total_seconds())
        if period and not settings.DEBUG and settings.PUBLIC_URL.startswith("https://"):
            response.headers.setdefault("Strict-Transport-Security", f"max-age={period}")
        return response
