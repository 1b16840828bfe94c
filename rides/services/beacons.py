"""The driver's beacon: available for passengers or not."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from common import clock
from common.errors import CommonReason, ValidationFailed
from common.prepared import PreparedObjects, PreparedUpdate
from common.rows import insert_rows, update_row
from events.outbox import emit
from rides.events import BeaconUpdated
from rides.geo import GeoPoint
from rides.limits import limits_now
from rides.metering.fixes import Fix
from rides.metering.whereabouts import locate
from rides.models import OPEN_MATCH, Beacon, Match
from rides.positions import positions
from rides.services.approval import require_approval
from rides.services.locking import lock_affairs
from rides.services.matches import matches_reject
from users.models import User


@transaction.atomic(savepoint=False)
def beacon_update(
    *, user_id: UUID, is_active: bool, latitude: float | None = None, longitude: float | None = None
) -> None:
    """Switch a driver's beacon; a position given with it counts as their last one.

    Switching it off cancels all open offers. Switching on what is on changes nothing but the position. Raises
    `ValidationFailed` for a driver who may not drive (`DRIVER_APPROVAL`, papers).
    """
    point = _point(latitude, longitude)
    if point is not None:
        transaction.on_commit(partial(_report, user_id, point, clock.timestamp()))
    lock_affairs(user_id)
    if not (_switch_on(user_id) if is_active else _OFF.run(user_id, clock.now())):
        return
    emit(BeaconUpdated(user_id=user_id, is_active=is_active, latitude=latitude, longitude=longitude))
    if not is_active:
        matches_reject(Match.objects.filter(driver_id=user_id, status__in=OPEN_MATCH), "cancelled")


def _switch_on(user_id: UUID) -> bool:
    """Switch a beacon on; return False where it is on."""
    user = _DRIVER.one(user_id)
    assert user is not None
    beacon: Beacon | None = getattr(user, "beacon", None)
    if beacon is not None and beacon.is_active:
        return False
    require_approval(getattr(user, "driver", None))
    now = clock.now()
    if beacon is None:
        insert_rows([Beacon(driver_id=user_id, is_active=True, changed_at=now)])
    else:
        beacon.is_active, beacon.changed_at = True, now
        update_row(beacon, "is_active", "changed_at")
    return True


_DRIVER = PreparedObjects(UUID, build=lambda pk: User.objects.select_related("beacon", "driver").filter(pk=pk))
_OFF = PreparedUpdate(
    UUID,
    datetime,
    build=lambda pk, now: (Beacon.objects.filter(pk=pk, is_active=True), {"is_active": False, "changed_at": now}),
)


def _report(user_id: UUID, point: GeoPoint, received_at: float) -> None:
    """Publish the position before the command is answered, so that the next search already finds it."""
    last = positions().last(user_id)
    fix = Fix(point.latitude, point.longitude, received_at)
    where, _ = locate(last.where if last else None, fix, limits_now())
    if where is not None:
        positions().report(user_id, where, received_at, driver=True)
        positions().flush()


def _point(latitude: float | None, longitude: float | None) -> GeoPoint | None:
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None:
        missing = "latitude" if latitude is None else "longitude"
        raise ValidationFailed(
            f"{missing}: latitude and longitude belong together.", reason=CommonReason.MISSING_FIELD, field=missing
        )
    return GeoPoint(latitude, longitude)
