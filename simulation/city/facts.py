"""What the books and the outbox have of a run, as the checker wants it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from django.db.models import Q

from events.models import OutboxEvent
from rides.models import Ride
from simulation.city.record import Event, Facts, RideFacts, ref_of

TO_PHONES = frozenset({
    "beacon_update", "finder_update", "match_proposal", "match_confirm", "match_rejected", "ride_pickup", "ride_start",
    "ride_arrived", "payment_process", "ride_completed", "ride_cancelled",
})  # fmt: skip
"""The types that reach phones; others go to other services alone."""


def facts_of(user_ids: Collection[str], since: datetime, true_km: Mapping[str, float]) -> Facts:
    """Read the rides of these people since a moment, and all events for them; `true_km` is by ride."""
    own = Q(driver_id__in=user_ids) | Q(passenger_id__in=user_ids)
    rides = Ride.objects.filter(own, created_at__gte=since).order_by("created_at")
    rides = rides.select_related("payment").prefetch_related("ledger")
    return Facts(
        [_ride(ride, true_km.get(str(ride.pk))) for ride in rides],
        [event for row in OutboxEvent.objects.filter(created_at__gte=since) for event in _events(row, user_ids)],
    )


def _ride(ride: Ride, true_km: float | None) -> RideFacts:
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
        true_km=true_km,
    )


def _events(row: OutboxEvent, user_ids: Collection[str]) -> Iterator[Event]:
    if row.type not in TO_PHONES:
        return
    for user_id, own in row.audience.items():
        if user_id in user_ids:
            ref = ref_of({**row.data, **(own or {})})
            yield Event(user_id, row.created_at.timestamp(), row.type, ref, is_sure=row.valid_until is None)
