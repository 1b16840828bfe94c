"""A passenger becomes a driver, drives another vehicle, and becomes a passenger again."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from common.errors import Conflict
from rides.models import DRIVER_BUSY, OPEN_MATCH, PASSENGER_BUSY, Beacon, Finder, FinderStatus, Match, Ride
from rides.reasons import RideReason
from rides.services.beacons import beacon_update
from rides.services.locking import lock_affairs
from rides.services.matches import matches_reject
from users.models import User
from users.services import driver_create, driver_delete, driver_update


@transaction.atomic
def driver_register(*, user_id: UUID, vehicle_type: str, vehicle_plate: str) -> User:
    """Register a passenger's vehicle. Raises `Conflict` for a driver, and during a search or a ride."""
    lock_affairs(user_id)
    if Finder.objects.filter(passenger_id=user_id, status=FinderStatus.OPEN).exists():
        raise Conflict(_("You are looking for a driver; switch the finder off first."), reason=RideReason.SEARCHING)
    if Ride.objects.filter(passenger_id=user_id, status__in=PASSENGER_BUSY).exists():
        raise Conflict(_("You have a current ride; finish it first."), reason=RideReason.ALREADY_ON_A_RIDE)
    return driver_create(user_id=user_id, vehicle_type=vehicle_type, vehicle_plate=vehicle_plate)


@transaction.atomic
def driver_change_vehicle(*, user_id: UUID, vehicle_type: str, vehicle_plate: str) -> User:
    """Register another vehicle of a driver; open offers were made for the old one and are withdrawn.

    Raises `Conflict` for a passenger, and during a ride.
    """
    lock_affairs(user_id)
    _refuse_driving(user_id)
    user = driver_update(user_id=user_id, vehicle_type=vehicle_type, vehicle_plate=vehicle_plate)
    matches_reject(Match.objects.filter(driver_id=user_id, status__in=OPEN_MATCH), "cancelled")
    return user


@transaction.atomic
def driver_unregister(*, user_id: UUID) -> None:
    """Make a driver a passenger again; the older tokens end. Raises `Conflict` for a passenger, and during a ride."""
    lock_affairs(user_id)
    _refuse_driving(user_id)
    if Beacon.objects.filter(driver_id=user_id, is_active=True).exists():
        beacon_update(user_id=user_id, is_active=False)
    driver_delete(user_id=user_id)


def _refuse_driving(user_id: UUID) -> None:
    if Ride.objects.filter(driver_id=user_id, status__in=DRIVER_BUSY).exists():
        raise Conflict("You have a current ride; finish it first.", reason=RideReason.ALREADY_ON_A_RIDE)
