"""The page of the live map."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from users.second_factor import is_trusted_staff, staff_may
from web.live.staff import LIVE_MAP

SOME = UUID(int=0)
"""Stands for the id in the addresses that the page makes links of."""


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Show the map to staff with the permission; what is on it comes over the socket."""
    if not is_trusted_staff(request.user):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    if not staff_may(request.user, LIVE_MAP):
        raise PermissionDenied
    pages = {"user": "users_user", "ride": "rides_ride", "search": "rides_finder"}
    links = {name: reverse(f"admin:{page}_change", args=[SOME]) for name, page in pages.items()}
    return render(request, "web/live.html", {"links": links, "some": str(SOME)})
