"""What operators look at over HTTP: health, statistics and metrics."""

from __future__ import annotations

import hmac
from collections import Counter
from typing import Any

import msgspec
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.addresses import comes_from_here
from common.rest.documented import answer, documented
from common.rest.exception_handler import only_reading
from realtime.operations.health import details, readiness
from realtime.operations.openapi import OPERATOR, Health, Stats
from realtime.operations.prometheus import CONTENT_TYPE, exposition
from users.authentication import BearerAuthentication
from users.models import Role
from users.presence import presence
from users.second_factor import staff_may

STATISTICS = "realtime.view_statistics"

METRICS = "metrics"
"""`request.auth` of who has the `METRICS_TOKEN`."""


@only_reading
def live(request: HttpRequest) -> JsonResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "ok"})


@only_reading
def ready(request: HttpRequest) -> JsonResponse:
    """Say whether sockets can be served (503 if not)."""
    checks = readiness()
    return _health(checks, good=all(checks.values()))


class MetricsToken(BaseAuthentication):
    """`Authorization: Bearer <METRICS_TOKEN>`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, str] | None:
        """Let who has the token in; whatever else it is may be an access token."""
        scheme, _, token = get_authorization_header(request).partition(b" ")
        expected = settings.METRICS_TOKEN.encode()
        if scheme.lower() == b"bearer" and expected and hmac.compare_digest(token.strip(), expected):
            return AnonymousUser(), METRICS
        return None

    def authenticate_header(self, request: Request) -> str:
        """Make a missing token a 401."""
        return "Bearer"


class IsOperator(BasePermission):
    """Staff with the permission, who has the `METRICS_TOKEN`, and with `DEBUG` anybody on this machine."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the request may be answered."""
        return is_open_to(request) or request.auth == METRICS or staff_may(request.user, STATISTICS)


class MaySeeStatistics(BasePermission):
    """Staff with the permission."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the request may be answered."""
        return staff_may(request.user, STATISTICS)


class OperatorView(APIView):
    """A view for staff and scrapers; open to all on this machine while `DEBUG` is on."""

    authentication_classes = (MetricsToken, BearerAuthentication, SessionAuthentication)
    permission_classes = (IsOperator,)
    throttle_classes = ()

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Return how requests are authenticated: not at all with `DEBUG`."""
        request = getattr(self, "request", None)  # there is none where the document of REST is made
        return [] if request is not None and is_open_to(request) else super().get_authenticators()


def is_open_to(request: HttpRequest | Request) -> bool:
    """Return whether a developer asks: `DEBUG` is on, and the request comes from this machine."""
    return settings.DEBUG and comes_from_here(request)


class HealthView(OperatorView):
    """`GET /health/detailed`: how each dependency is; 503 where one is not well."""

    @documented(
        "readHealth",
        "Read the health of each dependency",
        "Needs a staff account or the `METRICS_TOKEN`; open to this machine while `DEBUG` is on.",
        {200: answer(Health, "Everything is available."), 503: answer(Health, "A dependency is unavailable.")},
        refusals=[401, 403],
        tag="operations",
        auth=OPERATOR,
    )
    def get(self, request: Request) -> HttpResponse:
        """Ask all of them."""
        checks = details()
        return _health(checks, good=all(check["ok"] for check in checks.values()))


class MetricsView(OperatorView):
    """`GET /metrics`: for Prometheus."""

    @documented(
        "readMetrics",
        "Metrics for Prometheus",
        "Needs a staff account or the `METRICS_TOKEN`; open to this machine while `DEBUG` is on.",
        {(200, "text/plain"): answer(OpenApiTypes.STR, "The text format of Prometheus.")},
        refusals=[401, 403],
        tag="operations",
        auth=OPERATOR,
    )
    def get(self, request: Request) -> HttpResponse:
        """Show everything."""
        return HttpResponse(exposition(), content_type=CONTENT_TYPE)


class StatsView(APIView):
    """`GET /api/realtime/stats/`: who is connected, in numbers, over all processes; for staff."""

    authentication_classes = (BearerAuthentication, SessionAuthentication)
    permission_classes = (MaySeeStatistics,)

    @documented(
        "readStats",
        "Count the connections",
        "Needs a staff account, with an access token or a session of the admin.",
        {200: answer(Stats, "The numbers over all processes.")},
        refusals=[401, 403],
        tag="operations",
    )
    def get(self, request: Request) -> Response:
        """Count."""
        everyone = presence().everyone()
        roles = Counter(one.role for one in everyone)
        stats = Stats(
            total_connections=len(everyone),
            connections_by_role={role: roles[role] for role in Role.values},
            connections_by_process=dict(Counter(one.process for one in everyone)),
            stale_connections=sum(one.is_stale for one in everyone),
            timestamp=timezone.now(),
        )
        return Response(msgspec.to_builtins(stats))


def _health(checks: dict[str, Any], *, good: bool) -> JsonResponse:
    return JsonResponse({"status": "ok" if good else "unavailable", **checks}, status=200 if good else 503)
