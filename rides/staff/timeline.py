"""What happened on a ride, in one order: its states, its events, the track, the ledger and the payment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from events.models import OutboxEvent
from rides.geo import GeoPoint, distance_km
from rides.models import LedgerEntry, Payment, Ride, TrackPoint


class Moment(msgspec.Struct, frozen=True):
    """One line: when it was (for a run of points: when it began), what kind of thing, and what there is to say."""

    at: datetime
    kind: str
    text: str


class Run(msgspec.Struct):
    """Points that followed each other and were all accepted, or all refused for the same reason.

    A refused point may carry any time, so a run of them stands where the track was when they came.
    """

    at: datetime
    until: datetime
    reason: str
    points: int = 0
    km: float = 0.0

    def as_moment(self) -> Moment:
        """Return the line of these points."""
        count = f"{self.points} point{'s' if self.points > 1 else ''}"
        if self.reason:
            return Moment(self.at, "track", f"{count} refused: {self.reason.replace('_', ' ')}")
        return Moment(self.at, "track", f"{count} accepted until {self.until:%H:%M:%S}, {self.km:.3f} km")


def timeline(ride: Ride) -> list[Moment]:
    """Return the lines of a ride in the order of time; of the same time, in the order in which things cause each other.

    Five queries, however long the ride. Events are gone after `OUTBOX_RETENTION`; all else stays.
    """
    booked = list(LedgerEntry.objects.filter(ride=ride))
    payment = Payment.objects.filter(ride=ride).first()
    cuts = sorted(entry.created_at for entry in booked)
    moments = [
        *_states(ride),
        *(run.as_moment() for run in _runs(ride, cuts)),
        *(Moment(entry.created_at, "ledger", _entry(entry)) for entry in booked),
        *(_payment(payment) if payment else ()),
        *_events(ride),
    ]
    return sorted(moments, key=lambda moment: moment.at)


def _states(ride: Ride) -> Iterator[Moment]:
    yield Moment(ride.created_at, "ride", f"booked, at {ride.rate_per_km} rupiah a kilometre")
    if ride.started_at:
        yield Moment(ride.started_at, "ride", "started")
    if ride.arrived_at:
        cost = f"{ride.distance_km:.3f} km, {ride.total_cost} rupiah"
        factor = "" if ride.adjustment_factor == 1 else f", times {ride.adjustment_factor:g} is {ride.adjusted_cost}"
        yield Moment(ride.arrived_at, "ride", f"arrived: {cost}{factor}")
    if ride.completed_at:
        yield Moment(ride.completed_at, "ride", "completed")
    if ride.cancelled_at:
        reason = f": {ride.cancel_reason}" if ride.cancel_reason else ""
        yield Moment(ride.cancelled_at, "ride", f"cancelled by {ride.cancelled_by}{reason}")


def _runs(ride: Ride, cuts: list[datetime]) -> Iterable[Run]:
    """Return the track as runs, which also end where the ledger was written."""
    fields = ("latitude", "longitude", "timestamp", "accepted", "reason")
    runs: list[Run] = []
    last: GeoPoint | None = None
    clock = ride.created_at
    for latitude, longitude, timestamp, accepted, reason in (
        TrackPoint.objects.filter(ride=ride).order_by("id").values_list(*fields)
    ):
        before, clock = clock, timestamp if accepted else clock
        is_cut = bisect_right(cuts, before) < bisect_right(cuts, clock)
        if not runs or runs[-1].reason != reason or is_cut:
            runs.append(Run(clock, clock, reason))
        run = runs[-1]
        run.points += 1
        if accepted:
            point = GeoPoint(latitude, longitude)
            run.km += distance_km(last, point) if last else 0
            run.until, last = timestamp, point
    return runs


def _entry(entry: LedgerEntry) -> str:
    return f"{entry.distance_km:.3f} km: {entry.cost} rupiah"


def _payment(payment: Payment) -> Iterator[Moment]:
    shares = f"{payment.total_cost} rupiah ({payment.admin_fee} fee, {payment.driver_payout} to the driver)"
    yield Moment(payment.created_at, "payment", f"asked for {shares}")
    if payment.processed_at:
        yield Moment(payment.processed_at, "payment", payment.status.lower())


def _events(ride: Ride) -> Iterator[Moment]:
    keys = (str(ride.pk), str(ride.match_id))
    for event in OutboxEvent.objects.filter(key__in=keys).order_by("id"):
        yield Moment(event.created_at, "event", f"{event.subject}, {_delivery(event)}")


def _delivery(event: OutboxEvent) -> str:
    if event.failed_at:
        return f"given up: {event.error}"
    if not event.published_at:
        return "waiting for the event bus"
    return f"handed to the event bus after {(event.published_at - event.created_at).total_seconds() * 1000:.0f} ms"
