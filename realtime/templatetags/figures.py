"""The figures on the start page of the admin."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django import template
from django.http import HttpRequest

from common import clock
from common.unavailable import redis_away
from rides.staff import figures
from users.models import Role
from users.presence import presence

register = template.Library()


@register.inclusion_tag("admin/realtime/figures.html", takes_context=True)
def figures_of_today(context: dict[str, Any]) -> dict[str, Any]:
    """Show to each what he may look at: rides, payments, connections."""
    request: HttpRequest = context["request"]
    may = {model: request.user.has_perm(f"{app}.view_{model}") for app, model in SHOWN}
    found = figures.figures(clock.now()) if may["ride"] or may["payment"] else None
    return {"may": may, "figures": found, "connections": _connections() if may["liveconnection"] else None}


SHOWN = (("rides", "ride"), ("rides", "payment"), ("realtime", "liveconnection"))


def _connections() -> dict[str, int] | None:
    """Count the connections by role; None while the store cannot be asked."""
    try:
        roles = Counter(one.role for one in presence().everyone())
    except redis_away():
        return None
    return {role: roles[role] for role in Role.values}
