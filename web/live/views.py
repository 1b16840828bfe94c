"""The page of the live map."""

from __future__ import annotations

from uuid import UUID

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

SOME = UUID(int=0)
"""Stands for the id in the addresses that the page makes links of."""


@require_safe
@staff_member_required
def live(request: HttpRequest) -> HttpResponse:
    """Show the map; what is on it comes over the socket."""
    pages = {"user": "users_user", "ride": "rides_ride", "search": "rides_finder"}
    links = {name: reverse(f"admin:{page}_change", args=[SOME]) for name, page in pages.items()}
    return render(request, "web/live.html", {"links": links, "some": str(SOME)})
