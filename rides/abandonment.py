"""When somebody may leave a ride that is under way, because the other side has vanished."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from django.conf import settings

from rides.models import Ride, RideStatus, TrackPoint
from rides.positions import positions
from users.models import User

Abandonment = Literal["driver_silent", "driver_deactivated", "passenger_deactivated"]
"""Why a ride was left by one side; it is flagged with this for support staff."""


def abandonment(ride: Ride, user_id: UUID, now: datetime) -> Abandonment | None:
    """Return why a user may cancel a ride that is under way; None when they may not.

    The passenger may when nothing was heard of the driver for `RIDE_SILENCE_TIMEOUT`, either side when the other was
    deactivated.
    """
    if ride.status != RideStatus.ONGOING:
        return None
    is_driver = user_id == ride.driver_id
    if not User.objects.filter(pk=ride.passenger_id if is_driver else ride.driver_id, is_active=True).exists():
        return "passenger_deactivated" if is_driver else "driver_deactivated"
    if not is_driver and now - driver_heard_at(ride, now) >= settings.RIDE_SILENCE_TIMEOUT:
        return "driver_silent"
    return None


def driver_heard_at(ride: Ride, now: datetime) -> datetime:
    """Return when the driver of a ride that is under way was heard last: by position, by track, or at the start.

    The position store may have been emptied by a restart; the track is in the database. Of old rides it only has the
    phone's clock, which may run ahead.
    """
    assert ride.started_at is not None
    heard = [ride.started_at]
    place = positions().last(ride.driver_id)
    if place is not None:
        heard.append(datetime.fromtimestamp(place.received_at, UTC))
    point = TrackPoint.objects.filter(ride=ride).order_by("-id").first()
    if point is not None:
        heard.append(point.received_at or point.timestamp)
    return max(when for when in heard if when <= now)
