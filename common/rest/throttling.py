"""The limit of REST calls by address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from common.addresses import client_address, network_of

if TYPE_CHECKING:  # Django REST framework imports this module from there
    from rest_framework.views import APIView


class AddressThrottle(SimpleRateThrottle):
    """At most `API_THROTTLE` calls a minute from one address; 0 is no limit."""

    scope = "address"

    def get_rate(self) -> str | None:
        """Return the configured rate in the form of Django REST framework."""
        return f"{settings.API_THROTTLE}/min" if settings.API_THROTTLE else None

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """Count by the client's network."""
        return f"throttle:{network_of_request(request)}"


def network_of_request(request: Request | HttpRequest) -> str:
    """Return the network that a call comes from."""
    peer, forwarded_for = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    return network_of(client_address(peer, forwarded_for))
