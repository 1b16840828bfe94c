"""A passenger becomes a driver."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from common.errors import Conflict
from rides.models import PASSENGER_BUSY, Finder, FinderStatus, Ride
from rides.services.locking import lock_affairs
from users.models import User
from users.services import driver_create


@transaction.atomic
def driver_register(*, user_id: UUID, vehicle_type: str, vehicle_plate: str) -> User:
    """Register a passenger's vehicle. Raises `Conflict` for a driver, and during a search or a ride."""
    lock_affairs(user_id)
    if Finder.objects.filter(passenger_id=user_id, status=FinderStatus.OPEN).exists():
        raise Conflict(_("You are looking for a driver; switch the finder off first."))
    if Ride.objects.filter(passenger_id=user_id, status__in=PASSENGER_BUSY).exists():
        raise Conflict(_("You have a current ride; finish it first."))
    return driver_create(user_id=user_id, vehicle_type=vehicle_type, vehicle_plate=vehicle_plate)
