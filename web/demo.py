"""The demo: two phones on a page, real clients of this server. Only with `DEMO` (`serve --demo`) and DEBUG.

It is the front door. Without it, who comes there is sent to the admin.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.checks import CheckMessage, Error, register
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from users.models import User
from users.phone import normalise_msisdn
from users.sms import last_message


def is_on() -> bool:
    """Return whether there is a demo. With DEBUG off there is none, whatever DEMO says."""
    return bool(settings.DEMO and settings.DEBUG)


@require_safe
def front_door(request: HttpRequest) -> HttpResponse:
    """Show the two phones, or send to the admin."""
    return render(request, "web/demo.html", {"pin": settings.RIDE_PIN}) if is_on() else redirect("admin/")


@require_safe
@never_cache
def code(request: HttpRequest, msisdn: str) -> HttpResponse:
    """Return the newest login code of a number, for the page that shows it in place of a text message.

    Whoever can read codes can be anybody: 404 without the demo, and for members of staff.
    """
    number = _number(msisdn)
    staff = User.objects.filter(Q(is_staff=True) | Q(is_superuser=True), msisdn=number)
    if not is_on() or number is None or staff.exists():
        raise Http404
    found = re.search(r"\b\d{6}\b", last_message(number))
    if found is None:
        raise Http404
    return JsonResponse({"code": found[0]})


@require_safe
@never_cache
def worker(request: HttpRequest) -> HttpResponse:
    """Return the service worker of the page. It is served here because its path is its scope; 404 without the demo."""
    script = finders.find("web/demo/worker.js")
    if not is_on() or script is None:
        raise Http404
    return HttpResponse(Path(script).read_text(), content_type="text/javascript")


@register()
def check_demo(**_: Any) -> list[CheckMessage]:
    """The demo shows login codes to everybody: it is for development."""
    if settings.DEBUG or not settings.DEMO:
        return []
    hint = "Leave DEMO out where real people log in; it is for a server with DEBUG on, on one's own machine."
    return [Error("DEMO is on with DEBUG off.", hint=hint, id="nebengjek.E013")]


def _number(text: str) -> str | None:
    try:
        return normalise_msisdn(text)
    except ValueError:
        return None
