"""What happened on a ride, in one order: its states, its events, the track, the ledger and the payment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from events.models import OutboxEvent
from rides.geo import GeoPoint, distance_km
from rides.models import LedgerEntry, NotificationReceipt, Payment, Ride, TrackPoint
from rides.money import rupiah
from rides.staff.reasons import refusal_in_words
from rides.staff.units import clock, distance_exact
from users.models import StaffRecord

Receipt = tuple[str, str, str, str]
"""What a device has confirmed: key, type and status of the event, and whose device it was."""

KINDS = (gettext_noop("event"), gettext_noop("ledger"), gettext_noop("track"))
"""Kinds of lines; the others are names of tables or sides, too."""


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
        said = {"count": self.points, "reason": refusal_in_words(self.reason)}
        if self.reason:
            text = ngettext("%(count)s point refused: %(reason)s", "%(count)s points refused: %(reason)s", self.points)
            return Moment(self.at, "track", text % said)
        text = ngettext(
            "%(count)s point accepted until %(time)s, %(distance)s",
            "%(count)s points accepted until %(time)s, %(distance)s",
            self.points,
        )
        said |= {"time": clock(self.until), "distance": distance_exact(self.km)}
        return Moment(self.at, "track", text % said)


def timeline(ride: Ride) -> list[Moment]:
    """Return the lines of a ride in the order of time; of the same time, in the order in which things cause each other.

    Six queries, however long the ride. Events are gone after `OUTBOX_RETENTION`, receipts after `TRACE_RETENTION`.
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
        *_staff(ride),
    ]
    return sorted(moments, key=lambda moment: moment.at)


def _states(ride: Ride) -> Iterator[Moment]:
    yield Moment(ride.created_at, "ride", _("booked, at %(rate)s a kilometre") % {"rate": rupiah(ride.rate_per_km)})
    if ride.started_at:
        yield Moment(ride.started_at, "ride", _("started"))
    if ride.arrived_at:
        said = {"distance": distance_exact(float(ride.distance_km)), "cost": rupiah(ride.total_cost)}
        text = _("arrived: %(distance)s, %(cost)s") % said
        if ride.adjustment_factor != 1:
            said = {"factor": f"{ride.adjustment_factor:g}", "adjusted": rupiah(ride.adjusted_cost)}
            text += _(", times %(factor)s is %(adjusted)s") % said
        yield Moment(ride.arrived_at, "ride", text)
    if ride.completed_at:
        yield Moment(ride.completed_at, "ride", _("completed"))
    if ride.cancelled_at:
        reason = f": {ride.cancel_reason}" if ride.cancel_reason else ""
        yield Moment(ride.cancelled_at, "ride", _("cancelled by %(side)s") % {"side": _(ride.cancelled_by)} + reason)


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
    return f"{distance_exact(float(entry.distance_km))}: {rupiah(entry.cost)}"


def _payment(payment: Payment) -> Iterator[Moment]:
    shares = {
        "total": rupiah(payment.total_cost),
        "fee": rupiah(payment.admin_fee),
        "payout": rupiah(payment.driver_payout),
    }
    text = _("asked for %(total)s (%(fee)s fee, %(payout)s to the driver)") % shares
    yield Moment(payment.created_at, "payment", text)
    if payment.processed_at:
        yield Moment(payment.processed_at, "payment", _(payment.get_status_display()).lower())


def _staff(ride: Ride) -> Iterator[Moment]:
    for record in StaffRecord.objects.filter(target_type=ride._meta.label_lower, target_id=str(ride.pk)):
        yield Moment(record.at, "staff", record.text)


def _events(ride: Ride) -> Iterator[Moment]:
    keys = (str(ride.pk), str(ride.match_id))
    receipts: dict[Receipt, datetime] = {
        (key, kind, status, str(user_id)): at
        for key, kind, status, user_id, at in NotificationReceipt.objects.filter(key__in=keys).values_list(
            "key", "type", "status", "user_id", "received_at"
        )
    }
    sides = {str(ride.driver_id): "driver", str(ride.passenger_id): "passenger"}
    for event in OutboxEvent.objects.filter(key__in=keys).order_by("id"):
        yield Moment(event.created_at, "event", f"{event.subject}, {_delivery(event, receipts, sides)}")


def _delivery(event: OutboxEvent, receipts: Mapping[Receipt, datetime], sides: Mapping[str, str]) -> str:
    """Say when it was on the devices that have confirmed it, else how far it is known to have come."""
    if event.failed_at:
        return _("given up: %(error)s") % {"error": event.error}
    status = event.data.get("match_status") or event.data.get("status") or ""
    known = {side: receipts.get((event.key, event.type, status, user_id)) for user_id, side in sides.items()}
    arrived = [
        _("on the %(side)s's device after %(time)s") % {"side": _(side), "time": _since(event, at)}
        for side, at in known.items()
        if at
    ]
    if not event.published_at:
        return ", ".join([*arrived, _("waiting for the event bus")])
    if not arrived:
        text = _("handed to the event bus after %(time)s, not confirmed by a device")
        return text % {"time": _since(event, event.published_at)}
    missing = [
        _("not confirmed by the %(side)s's") % {"side": _(side)}
        for side, at in known.items()
        if not at and _is_for(event, side, sides)
    ]
    return ", ".join([*arrived, *missing])


def _is_for(event: OutboxEvent, side: str, sides: Mapping[str, str]) -> bool:
    return any(sides.get(user_id) == side for user_id in event.audience)


def _since(event: OutboxEvent, at: datetime) -> str:
    return f"{(at - event.created_at).total_seconds() * 1000:.0f} ms"
