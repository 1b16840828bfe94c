"""The people of the tests, and how they come to a ride."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from asgiref.sync import async_to_sync
from django.utils import timezone

from events.models import OutboxEvent
from rides.geo import GeoPoint
from rides.models import Beacon, Finder, Match, Ride, RideStatus, TrackPoint
from rides.positions import positions
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from rides.services.rides import ride_arrived, ride_start
from users.models import Driver, Role, User
from users.presence import Presence, presence

MONAS = GeoPoint(-6.1754, 106.8272)
BLOK_M = GeoPoint(-6.2443, 106.7985)
NEXT_CONNECTION = iter(range(1, 10**9))


def make_user(msisdn: str, name: str, **fields: Any) -> User:
    """A passenger."""
    return User.objects.create_user(msisdn, full_name=name, **fields)


def make_driver(msisdn: str, name: str) -> User:
    """A driver with a motorcycle."""
    user = make_user(msisdn, name, role=Role.DRIVER)
    Driver.objects.create(user=user, vehicle_type="motorcycle", vehicle_plate="B 1234 XYZ")
    return user


def north_of(point: GeoPoint, metres: float) -> GeoPoint:
    """The place so many metres to the north, along the meridian."""
    return GeoPoint(point.latitude + metres / 111195.08, point.longitude)


def connect(user: User) -> Presence:
    """Let somebody be connected, by a connection newer than all before."""
    made = Presence(connection_id=uuid4(), user_id=user.pk, role=user.role, session=next(NEXT_CONNECTION))
    presence().note([made])
    return made


def disconnect(connection: Presence) -> None:
    """End a connection."""
    async_to_sync(presence().release)(connection)


def stand_by(driver: User, place: GeoPoint = MONAS, age: float = 0) -> None:
    """Turn a driver's beacon on, connected and seen at a place `age` seconds ago."""
    Beacon.objects.update_or_create(driver=driver, defaults={"is_active": True, "changed_at": timezone.now()})
    connect(driver)
    positions().report(driver.pk, place, time.time() - age, driver=True)


def propose(driver: User, passenger: User) -> Match:
    """A proposal to both."""
    stand_by(driver)
    finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    return Match.objects.get(driver=driver, passenger=passenger, finder__status="OPEN")


def book(driver: User, passenger: User) -> Ride:
    """A ride that waits for its start."""
    match = propose(driver, passenger)
    match_confirm(user_id=driver.pk, match_id=match.pk, accepted=True)
    match_confirm(user_id=passenger.pk, match_id=match.pk, accepted=True)
    return Ride.objects.get(match=match)


def start(driver: User, passenger: User) -> Ride:
    """A ride that is under way."""
    ride = book(driver, passenger)
    ride_start(user_id=driver.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    return ride


def arrive(driver: User, passenger: User, tracked_km: float = 0, factor: float = 1.0) -> Ride:
    """A ride that waits for its payment."""
    ride = start(driver, passenger)
    Ride.objects.filter(pk=ride.pk).update(tracked_km=tracked_km)
    ride_arrived(user_id=driver.pk, ride_id=ride.pk, adjustment_factor=factor)
    ride.refresh_from_db()
    return ride


def backdate(ride: Ride, seconds: float) -> None:
    """Let a ride, and the first point of its track, have begun earlier."""
    started = timezone.now() - timedelta(seconds=seconds)
    Ride.objects.filter(pk=ride.pk, status=RideStatus.ONGOING).update(started_at=started)
    TrackPoint.objects.filter(ride=ride).update(timestamp=started)
    ride.refresh_from_db()


def told(user: User | UUID) -> list[tuple[str, dict[str, Any]]]:
    """What the outbox has for a user: types and data, in order."""
    pk = str(user.pk if isinstance(user, User) else user)
    return [(e.type, e.data) for e in OutboxEvent.objects.order_by("id") if pk in e.audience]


def told_types(user: User) -> list[str]:
    """The types of what the outbox has for a user, in order."""
    return [kind for kind, _ in told(user)]


def open_finder(passenger: User) -> Finder:
    """The search that a passenger has under way."""
    return Finder.objects.get(passenger=passenger, status="OPEN")
