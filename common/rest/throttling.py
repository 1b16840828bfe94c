"""The limit of REST calls: by user where a valid token says who calls, otherwise by address.

So people behind one address, of a campus or a mobile carrier, share no limit once they have logged in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from common.addresses import client_address, network_of

if TYPE_CHECKING:  # Django REST framework imports this module from there
    from rest_framework.views import APIView


class CallerThrottle(SimpleRateThrottle):
    """At most `API_THROTTLE` calls a minute from one user or, without a token, from one address; 0 is no limit.

    A view whose callers prove in another way who they are has a method `caller_of(request)` that returns who it is.
    """

    scope = "caller"

    def get_rate(self) -> str | None:
        """Return the configured rate in the form of Django REST framework."""
        return f"{settings.API_THROTTLE}/min" if settings.API_THROTTLE else None

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """Return whom the call counts for."""
        caller_of = getattr(view, "caller_of", None)
        caller = request.user.pk if request.user.is_authenticated else caller_of and caller_of(request)
        return f"throttle:user:{caller}" if caller else f"throttle:{network_of_request(request)}"


def network_of_request(request: Request | HttpRequest) -> str:
    """Return the network that a call comes from."""
    return network_of(address_of_request(request))


def address_of_request(request: Request | HttpRequest) -> str:
    """Return the address that a call comes from."""
    peer, forwarded_for = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    return client_address(peer, forwarded_for)
