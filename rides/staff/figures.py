"""Today in figures, for the start page of support staff."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

import msgspec
from django.db.models import Count, Sum
from django.utils import timezone

from common.db import read_snapshot
from rides.models import DRIVER_BUSY, Beacon, Finder, FinderStatus, Payment, PaymentStatus, Ride, RideStatus
from rides.services.rides import Side


class Figures(msgspec.Struct, frozen=True):
    """Since midnight: rides booked, by their status now; cancelled rides, by side; money paid, in rupiah. And now.

    `waiting` are drivers whose beacon is on and who are on no ride.
    """

    since: datetime
    rides: dict[str, int]
    cancelled: dict[str, int]
    payments: int
    revenue: int
    fees: int
    searches: int
    waiting: int
    riding: int


def figures(now: datetime) -> Figures:
    """Return the figures of the day of `now` in the time zone of the server, read at one moment by six queries."""
    since = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    with read_snapshot():
        paid = Payment.objects.filter(status=PaymentStatus.ACCEPTED, processed_at__gte=since).aggregate(
            payments=Count("pk"), revenue=Sum("total_cost", default=0), fees=Sum("admin_fee", default=0)
        )
        riding = Ride.objects.filter(status__in=DRIVER_BUSY)
        free = Beacon.objects.filter(is_active=True, driver__is_active=True).exclude(driver__in=riding.values("driver"))
        return Figures(
            since=since,
            rides=_rides(since),
            cancelled=_cancelled(since),
            **paid,
            searches=Finder.objects.filter(status=FinderStatus.OPEN).count(),
            waiting=free.count(),
            riding=riding.count(),
        )


def _rides(since: datetime) -> dict[str, int]:
    found = Ride.objects.filter(created_at__gte=since).order_by().values_list("status").annotate(count=Count("pk"))
    return dict.fromkeys(RideStatus.values, 0) | dict(found)


def _cancelled(since: datetime) -> dict[str, int]:
    today = Ride.objects.filter(status=RideStatus.CANCELLED, cancelled_at__gte=since)
    found = today.order_by().values_list("cancelled_by").annotate(count=Count("pk"))
    return dict.fromkeys(get_args(Side), 0) | dict(found)
