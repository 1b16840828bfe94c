"""What needs a person, on the start page of the admin, before what went well."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
from django import template
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from common import clock
from events.models import DeadLetter, OutboxEvent
from rides.models import Ride, RideStatus
from users.models import Approval, Driver, Role

register = template.Library()

STUCK_AFTER = {RideStatus.PICKUP: timedelta(minutes=45), RideStatus.ONGOING: timedelta(hours=6)}
"""How long a ride may be in a state; by then a timer or a party should have ended it."""

UNPAID_AFTER = timedelta(hours=1)


class Task(msgspec.Struct, frozen=True):
    """So many of something, and where they are."""

    count: int
    text: str
    link: str


@register.inclusion_tag("web/attention.html", takes_context=True)
def attention(context: dict[str, Any]) -> dict[str, Any]:
    """Show the tasks of those pages that the viewer may see, and a box that finds people."""
    request: HttpRequest = context["request"]
    tasks = [*_drivers(request), *_rides(request), *_events(request)]
    people = reverse("admin:users_user_changelist") if request.user.has_perm("users.view_user") else ""
    return {"tasks": [task for task in tasks if task.count], "people": people}


def _drivers(request: HttpRequest) -> Iterator[Task]:
    if not request.user.has_perm("users.view_driver"):
        return
    link = reverse("admin:users_driver_changelist")
    drivers = Driver.objects.filter(user__role=Role.DRIVER, user__is_active=True)
    waiting = drivers.filter(approval=Approval.PENDING).count()
    yield Task(waiting, _("drivers wait for approval"), f"{link}?approval__exact=pending")
    expired = drivers.filter(papers_until__lt=timezone.localdate()).count()
    yield Task(expired, _("drivers have papers that have expired"), f"{link}?papers_until__lt={timezone.localdate()}")


def _rides(request: HttpRequest) -> Iterator[Task]:
    if not request.user.has_perm("rides.view_ride"):
        return
    now, link = clock.now(), reverse("admin:rides_ride_changelist")
    flagged = Ride.objects.exclude(needs_review="").count()
    yield Task(flagged, _("rides are flagged for support"), f"{link}?review=yes")
    for status, patience in STUCK_AFTER.items():
        count = Ride.objects.filter(status=status).filter(_since(status, now - patience)).count()
        texts = {RideStatus.PICKUP: _("pick-ups take very long"), RideStatus.ONGOING: _("rides take very long")}
        yield Task(count, texts[status], f"{link}?status__exact={status}")
    unpaid = Ride.objects.filter(status=RideStatus.ARRIVED, arrived_at__lt=now - UNPAID_AFTER).count()
    yield Task(unpaid, _("rides are not paid after an hour"), f"{link}?status__exact=ARRIVED")


def _since(status: RideStatus, before: Any) -> Q:
    return Q(started_at__lt=before) if status == RideStatus.ONGOING else Q(created_at__lt=before)


def _events(request: HttpRequest) -> Iterator[Task]:
    if request.user.has_perm("events.view_deadletter"):
        letters = DeadLetter.objects.filter(replayed_at__isnull=True).count()
        yield Task(letters, _("messages could not be delivered"), reverse("admin:events_deadletter_changelist"))
    if request.user.has_perm("events.view_outboxevent"):
        failed = OutboxEvent.objects.filter(failed_at__isnull=False).count()
        yield Task(failed, _("events were given up"), reverse("admin:events_outboxevent_changelist"))
