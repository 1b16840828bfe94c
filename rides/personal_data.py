"""What rides tell of people: where they were. Amounts and times stay, because the books must add up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from common import clock
from common.db import delete_old_steps, delete_steps
from common.errors import Conflict
from rides.models import (
    PASSENGER_BUSY,
    Beacon,
    Candidate,
    Device,
    DeviceReceipt,
    Finder,
    FinderStatus,
    LedgerEntry,
    Match,
    NotificationReceipt,
    PassengerPoint,
    Payment,
    Quote,
    Ride,
    SearchAttempt,
    TrackPoint,
)
from rides.positions import positions
from rides.reasons import RideReason
from rides.services.beacons import beacon_update
from rides.services.finders import finder_update
from rides.services.locking import lock_affairs
from rides.snapshots import ride_snapshot
from users.models import User, Watermark
from users.personal_data.base import Steps
from users.selectors import since_owned

COARSE = 2
"""Decimals of a degree that a coarsened place keeps: about a kilometre."""

CHANGED_AT_ONCE = 200
"""Rows that one transaction coarsens; it takes about 20 ms on SQLite."""

PLACES: dict[type[Model], tuple[str, ...]] = {
    Finder: ("latitude", "longitude", "target_latitude", "target_longitude"),
    Match: (
        "latitude", "longitude", "driver_latitude", "driver_longitude", "target_latitude", "target_longitude",
    ),
    Quote: ("latitude", "longitude", "target_latitude", "target_longitude"),
}  # fmt: skip
"""The columns of places of which about a kilometre is kept."""


class RidesData:
    """The tables of the rides app, and the positions."""

    def check(self, user: User) -> None:
        """Refuse during a ride and until it is paid."""
        lock_affairs(user.pk)
        if _rides_of(user.pk).filter(status__in=PASSENGER_BUSY).exists():
            raise Conflict(
                _("You have a current ride, or one that is not paid; finish it first."),
                reason=RideReason.UNFINISHED_RIDE,
            )

    def withdraw(self, user: User) -> None:
        """Wake the devices no more that the login has logged out; what they have confirmed says nothing of the new."""
        if settings.SINGLE_DEVICE:
            Device.objects.filter(user=user).delete()
            DeviceReceipt.objects.filter(user=user).delete()

    def hand_over(self, user: User) -> None:
        """End search and beacon of the earlier owner, and forget the devices."""
        lock_affairs(user.pk)
        _close(user)
        Device.objects.filter(user=user, registered_at__lt=user.history_from).delete()

    def erase(self, user: User) -> None:
        """End search and beacon; the other sides of open offers are notified."""
        _close(user)
        Device.objects.filter(user=user).delete()
        transaction.on_commit(lambda: positions().erase(user.pk))

    def erase_rest(self, user_id: UUID) -> Steps:
        """Remove tracks and what was known as a candidate, and coarsen places."""
        positions().erase(user_id)
        for points in (TrackPoint, PassengerPoint):
            yield from delete_steps(points._base_manager.filter(ride__in=_rides_of(user_id)))
        yield from delete_steps(Quote.objects.filter(user_id=user_id, rides=None))
        yield from _coarsen_all(Quote.objects.filter(user_id=user_id))
        for model in (Device, DeviceReceipt, NotificationReceipt):
            yield from delete_steps(model._base_manager.filter(user_id=user_id))
        yield from delete_steps(Candidate.objects.filter(driver_id=user_id))
        for trace in (Candidate, SearchAttempt):
            yield from delete_steps(trace._base_manager.filter(finder__passenger_id=user_id))
        yield from _coarsen_all(Finder.objects.filter(passenger_id=user_id))
        yield from _coarsen_all(Match.objects.filter(Q(passenger_id=user_id) | Q(driver_id=user_id)))
        _rides_of(user_id).exclude(cancel_reason="").update(cancel_reason="")

    def expire(self) -> Steps:
        """Remove tracks and offers' traces, and coarsen places, after their retention times."""
        now = clock.now()
        over = ~Q(ride__status__in=PASSENGER_BUSY)
        old = Q(ride__created_at__lt=now - settings.TRACK_RETENTION)
        yield from delete_old_steps(TrackPoint.objects.all(), over & old)
        yield from delete_old_steps(PassengerPoint.objects.all(), over & old)
        yield from delete_steps(Quote.objects.filter(created_at__lt=now - settings.TRACE_RETENTION, rides=None))
        oldest = now - settings.TRACE_RETENTION
        yield from delete_old_steps(Candidate.objects.all(), Q(considered_at__lt=oldest))
        yield from delete_old_steps(SearchAttempt.objects.all(), Q(begun_at__lt=oldest))
        yield from delete_old_steps(NotificationReceipt.objects.all(), Q(received_at__lt=oldest))
        yield from delete_steps(Device.objects.filter(registered_at__lt=now - settings.DEVICE_RETENTION))
        for model in PLACES:
            yield from _coarsen_until(model, now - settings.PLACE_RETENTION)

    def export(self, user: User) -> dict[str, Any]:
        """Return searches, offers, rides with payment and track, and the last position; nothing of an earlier owner."""
        last = positions().last(user.pk)
        own = since_owned(user)
        rides = _rides_of(user.pk).filter(own).select_related("match", "payment").order_by("created_at")
        offers = Match.objects.filter(Q(driver=user) | Q(passenger=user), own).order_by("created_at")
        return {
            "beacon": Beacon.objects.filter(driver=user).values("is_active", "changed_at").first(),
            "position": msgspec.to_builtins(last.point) if last else None,
            "devices": list(Device.objects.filter(user=user).values("kind", "token", "registered_at")),
            "searches": list(Finder.objects.filter(own, passenger=user).order_by("created_at").values()),
            "offers": list(
                offers.values("id", "status", "reason", "latitude", "longitude", "created_at", "decided_at")
            ),
            "rides": [_exported(ride) for ride in rides.iterator(CHANGED_AT_ONCE)],
        }


def keeps_track(ride: Ride) -> bool:
    """Return whether the track of a ride that has arrived is still kept, so that its fare can be computed again."""
    return rides_with_a_track().filter(pk=ride.pk).exists()


def rides_with_a_track() -> QuerySet[Ride]:
    """Return the rides that have arrived and whose track is kept: neither too old nor of somebody who was erased."""
    oldest = clock.now() - settings.TRACK_RETENTION
    kept = Ride.objects.filter(arrived_at__isnull=False, created_at__gte=oldest)
    return kept.filter(driver__erased_at__isnull=True, passenger__erased_at__isnull=True)


def _close(user: User) -> None:
    """End search and beacon, and forget what is known of the beacon."""
    if Finder.objects.filter(passenger=user, status=FinderStatus.OPEN).exists():
        finder_update(user_id=user.pk, is_active=False)
    if Beacon.objects.filter(driver=user, is_active=True).exists():
        beacon_update(user_id=user.pk, is_active=False)
    Beacon.objects.filter(driver=user).delete()


def _rides_of(user_id: UUID) -> QuerySet[Ride]:
    return Ride.objects.filter(Q(driver_id=user_id) | Q(passenger_id=user_id))


def _exported(ride: Ride) -> dict[str, Any]:
    payment = Payment.objects.filter(ride=ride).values("total_cost", "status", "processed_at").first()
    return {
        **ride_snapshot(ride).to_data(),
        "payment": payment,
        "ledger": list(LedgerEntry.objects.filter(ride=ride).values("distance_km", "cost", "created_at")),
        "track": list(TrackPoint.objects.filter(ride=ride).values("timestamp", "latitude", "longitude")),
    }


def _coarsen_until(model: type[Any], before: datetime) -> Steps:
    """Coarsen the places of rows that were made earlier, once each."""
    name = f"places of {model._meta.label_lower}"
    mark = Watermark.objects.filter(pk=name).first()
    rows = model._base_manager.filter(created_at__lt=before, **({"created_at__gte": mark.until} if mark else {}))
    yield from _coarsen_all(rows)
    if mark is None or mark.until < before:
        Watermark.objects.update_or_create(pk=name, defaults={"until": before})


def _coarsen_all(rows: QuerySet[Any]) -> Iterator[None]:
    last: tuple[datetime, UUID] | None = None
    while True:
        page = rows if last is None else rows.filter(Q(created_at__gt=last[0]) | Q(created_at=last[0], pk__gt=last[1]))
        batch: Sequence[Any] = list(page.order_by("created_at", "pk")[:CHANGED_AT_ONCE])
        if not batch:
            return
        _coarsen(batch)
        last = (batch[-1].created_at, batch[-1].pk)
        yield


def _coarsen(rows: Sequence[Any]) -> None:
    names = PLACES[type(rows[0])]
    for row in rows:
        for name in names:
            setattr(row, name, round(getattr(row, name), COARSE))
    type(rows[0])._base_manager.bulk_update(rows, names)
