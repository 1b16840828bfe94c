"""Invariants that must hold for all rides in the database.

Constraints and services keep them; an operator checks them after a crash, a migration or a restored backup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from common import clock
from events.models import OutboxEvent
from rides.gateways import QRLinkGateway
from rides.models import (
    DRIVER_BUSY,
    PASSENGER_BUSY,
    Finder,
    FinderStatus,
    Match,
    MatchStatus,
    Payment,
    PaymentNotice,
    Ride,
    RideStatus,
)
from rides.personal_data import rides_with_a_track
from rides.services.fares import fare_recompute

DELIVERY_PATIENCE = timedelta(minutes=1)
"""An event that waits longer for its delivery is a finding, since the relay looks every second."""

CHUNK = 500

UNTOLD = ("", "cash", QRLinkGateway.name)
"""Ways to pay that no gateway confirms; empty is a payment of before they were written down."""


def audit(on_ride: Callable[[], object] = lambda: None) -> Iterator[str]:
    """Yield what is wrong, a line each; `on_ride` is called after each ride whose fare was computed once more."""
    yield from _overlaps("driver", DRIVER_BUSY, "arrived_at")
    yield from _overlaps("passenger", PASSENGER_BUSY, "completed_at")
    yield from _ledgers()
    yield from _fares(on_ride)
    yield from _payments()
    yield from _matches()
    yield from _outbox()


def rides_with_a_fare() -> QuerySet[Ride]:
    """Return the rides whose fare `audit` computes once more: those whose track is kept."""
    return rides_with_a_track()


def _overlaps(side: str, busy: Iterable[RideStatus], end: str) -> Iterator[str]:
    """Find people who were on two rides at once."""
    now = clock.now()
    rides = Ride.objects.order_by(side, "created_at").values_list(
        "pk", f"{side}_id", "status", "created_at", Coalesce(end, "cancelled_at")
    )
    last: tuple[UUID, UUID, datetime] | None = None
    for pk, person, status, begun, ended in rides.iterator(CHUNK):
        if last and last[1] == person and begun < last[2]:
            yield f"{side} {person} was on the rides {last[0]} and {pk} at once"
        last = (pk, person, now if status in busy else ended or now)


def _ledgers() -> Iterator[str]:
    sums = Ride.objects.annotate(
        cost=Coalesce(Sum("ledger__cost"), 0), distance=Coalesce(Sum("ledger__distance_km"), Decimal(0))
    )
    for ride in sums.exclude(cost=F("total_cost"), distance=F("distance_km")).iterator(CHUNK):
        # SQLite adds decimals up as floats, so the suspects are added up once more
        distance = sum((entry.distance_km for entry in ride.ledger.all()), Decimal(0))
        if (ride.cost, distance) != (ride.total_cost, ride.distance_km):
            booked = f"{ride.distance_km} km, {ride.total_cost}"
            yield f"ride {ride.pk}: the ledger has {distance} km, {ride.cost}, the ride {booked}"


def _fares(on_ride: Callable[[], object]) -> Iterator[str]:
    for ride in rides_with_a_fare().iterator(CHUNK):
        fare = fare_recompute(ride)
        if fare.cost != ride.total_cost:
            yield f"ride {ride.pk}: costs {ride.total_cost}, but {fare.cost} by its kept points"
        written = sum(line["amount"] for line in ride.receipt["lines"]) if ride.receipt else ride.total_cost
        if written != ride.total_cost:
            yield f"ride {ride.pk}: costs {ride.total_cost}, but the receipt says {written}"
        on_ride()


def _payments() -> Iterator[str]:
    asked = Q(status__in=(RideStatus.ARRIVED, RideStatus.COMPLETED))
    for pk in Ride.objects.filter(asked, payment__isnull=True).values_list("pk", flat=True):
        yield f"ride {pk}: nobody was asked to pay"
    paid, completed = Q(status="ACCEPTED"), Q(ride__status=RideStatus.COMPLETED)
    for pk in Payment.objects.filter((paid & ~completed) | (~paid & completed)).values_list("pk", flat=True):
        yield f"payment {pk}: paid without a completed ride, or the other way round"
    told = PaymentNotice.objects.filter(outcome="paid").values("payment")
    by_gateway = Payment.objects.filter(status="ACCEPTED").exclude(method__in=UNTOLD)
    for pk in by_gateway.exclude(pk__in=told).values_list("pk", flat=True):
        yield f"payment {pk}: paid by a gateway that has told nothing"
    for pk in Payment.objects.exclude(total_cost=F("ride__adjusted_cost")).values_list("pk", flat=True):
        yield f"payment {pk}: is not the cost of its ride"


def _matches() -> Iterator[str]:
    accepted = Q(status=MatchStatus.ACCEPTED)
    for pk in Match.objects.filter((accepted & Q(ride=None)) | (~accepted & ~Q(ride=None))).values_list(
        "pk", flat=True
    ):
        yield f"match {pk}: accepted without a ride, or the other way round"
    riding = Ride.objects.filter(status__in=PASSENGER_BUSY).values("passenger")
    for pk in Finder.objects.filter(status=FinderStatus.OPEN, passenger__in=riding).values_list("pk", flat=True):
        yield f"finder {pk}: is open while its passenger has a ride"


def _outbox() -> Iterator[str]:
    late = Q(published_at=None, created_at__lt=clock.now() - DELIVERY_PATIENCE)
    for event in OutboxEvent.objects.filter(Q(failed_at__isnull=False) | late).iterator(CHUNK):
        yield f"event {event.event_id} ({event.subject}): {event.error or 'still waits to be delivered'}"
