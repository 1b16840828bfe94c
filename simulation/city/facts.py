"""What the books and the outbox have of a run, as the checker wants it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from events.models import OutboxEvent
from nebengjek_client import Data
from rides.models import Ride, TrackPoint
from simulation.city.log import read_log
from simulation.city.record import Driven, Event, Facts, RideFacts, ref_of

TO_PHONES = frozenset({
    "beacon_update", "finder_update", "match_proposal", "match_confirm", "match_rejected", "ride_pickup", "ride_start",
    "ride_arrived", "payment_process", "ride_completed", "ride_cancelled",
})  # fmt: skip
"""The types that reach phones; others go to other services alone."""


OVERLAP = timedelta(seconds=60)
"""How much earlier than the last look a row may have been written that was not there yet: a transaction lasts."""

AT_ONCE = 500
"""Rows of the outbox that are read at once."""


class Reader:
    """Reads the books from a moment on, and the log of faults, again and again."""

    def __init__(self, since: datetime, log: Path | None = None) -> None:
        self._since, self._log = since, log
        self._next = since
        self._known: set[int] = set()
        self._rides: dict[str, RideFacts] = {}

    def read(self, user_ids: Collection[str], driven: Mapping[str, Driven], *, is_over: bool = True) -> Facts:
        """Return the rides of these people, and the events for them that were not there the last time.

        `driven` is by ride. Rides that had ended before the last look are read again only when all is over.
        """
        now = timezone.now()
        own = Q(driver_id__in=user_ids) | Q(passenger_id__in=user_ids)
        rides = Ride.objects.filter(own, created_at__gte=self._since).order_by("created_at")
        if not is_over:
            goes_on = Q(completed_at__isnull=True, cancelled_at__isnull=True)
            rides = rides.filter(goes_on | Q(completed_at__gte=self._next) | Q(cancelled_at__gte=self._next))
        for ride in rides.select_related("payment").prefetch_related("ledger"):
            self._rides[str(ride.pk)] = _ride(ride, driven.get(str(ride.pk)))
        rows = list(self._fresh_rows())
        self._known.update(row.pk for row in rows)  # now that all of it has been read
        self._next = max(self._since, now - OVERLAP)
        faults, samples = read_log(self._log) if self._log else (None, [])
        events = [event for row in rows for event in _events(row, user_ids)]
        return Facts(list(self._rides.values()), events, faults, samples)

    def _fresh_rows(self) -> Iterator[OutboxEvent]:
        """Yield the events that were not there the last time; of the others only the number is read."""
        rows = OutboxEvent.objects.filter(created_at__gte=self._next, type__in=TO_PHONES).order_by("pk")
        fresh = [pk for pk in rows.values_list("pk", flat=True) if pk not in self._known]
        for first in range(0, len(fresh), AT_ONCE):
            yield from OutboxEvent.objects.filter(pk__in=fresh[first : first + AT_ONCE]).order_by("pk")


def read_track(ride_id: str) -> list[Data]:
    """Return the positions of a ride's driver as they were booked, in that order."""
    columns = ("latitude", "longitude", "received_at", "phone_time", "connection", "accuracy", "speed", "reason")
    return list(TrackPoint.objects.filter(ride=UUID(ride_id)).order_by("pk").values(*columns))


def count_rows() -> Counter[str]:
    """Return how many rows each table has."""
    tables = {
        model._meta.db_table: model for model in apps.get_models(include_auto_created=True) if model._meta.managed
    }
    return Counter({table: model._base_manager.count() for table, model in tables.items()})


def _ride(ride: Ride, driven: Driven | None) -> RideFacts:
    payment = getattr(ride, "payment", None)
    ledger = ride.ledger.all()
    return RideFacts(
        ride_id=str(ride.pk),
        driver_id=str(ride.driver_id),
        passenger_id=str(ride.passenger_id),
        status=ride.status,
        began=ride.created_at,
        driver_free=ride.arrived_at or ride.cancelled_at,
        passenger_free=ride.completed_at or ride.cancelled_at,
        billed_km=float(ride.distance_km),
        ledger_km=float(sum(entry.distance_km for entry in ledger)),
        ledger_cost=sum(entry.cost for entry in ledger),
        total_cost=ride.total_cost,
        receipt_cost=sum(line["amount"] for line in ride.receipt["lines"]) if ride.receipt else ride.total_cost,
        adjusted_cost=ride.adjusted_cost,
        payments=((payment.status, payment.total_cost),) if payment else (),
        due_cost=_due_cost(ride),
        true_km=driven.km if driven else None,
        line_km=driven.line_km if driven else None,
        cheated=driven is not None and driven.cheated,
        flags=ride.needs_review,
    )


def _due_cost(ride: Ride) -> int | None:
    if ride.tariff_id is not None or ride.quote_id is not None:
        return None
    return int((ride.distance_km * settings.PRICING_RATE_PER_KM).quantize(Decimal(1), ROUND_HALF_UP))


def _events(row: OutboxEvent, user_ids: Collection[str]) -> Iterator[Event]:
    if row.type not in TO_PHONES:
        return
    for user_id, own in row.audience.items():
        if user_id in user_ids:
            ref = ref_of({**row.data, **(own or {})})
            until = row.valid_until.timestamp() if row.valid_until else None
            yield Event(user_id, row.created_at.timestamp(), row.type, ref, until=until)
