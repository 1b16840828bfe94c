"""Health probes and scrapes, which ask by whatever address a machine has."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

PATHS = ("/health/", "/metrics")


class ProbeMiddleware:
    """Answers `PATHS` whatever the `Host`: a pod's address, IPv6, or none at all (HTTP/1.0).

    `ALLOWED_HOSTS` protects links that are made from the `Host`; these paths make none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Let a probe's request carry a host that is allowed; that something is not well is an answer, not an error."""
        if not request.path.startswith(PATHS):
            return self.get_response(request)
        request.META["HTTP_HOST"] = allowed_host()
        response = self.get_response(request)
        response._has_been_logged = True  # type: ignore[attr-defined] # or Django logs each 503 as an error
        return response


def allowed_host() -> str:
    """Return a host that `ALLOWED_HOSTS` lets in."""
    first = next(iter(settings.ALLOWED_HOSTS), "localhost")
    return "localhost" if first == "*" else first.removeprefix(".")
