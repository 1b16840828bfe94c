"""The people of the tests, and how they come to a ride."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from asgiref.sync import async_to_sync
from django.utils import timezone

from events.models import OutboxEvent
from rides.geo import GeoPoint
from rides.limits import limits_of
from rides.metering.fixes import Fix
from rides.metering.running import Progress, advance
from rides.models import Beacon, Finder, Match, Ride, RideStatus, TrackPoint
from rides.positions import positions
from rides.positions.base import reported_at
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from rides.services.rides import ride_arrived, ride_start
from rides.services.tracks import Report, tracks_record
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
    see(driver, place, age)


def see(user: User | UUID, place: GeoPoint, age: float = 0) -> None:
    """Let somebody be seen at a place `age` seconds ago."""
    at = time.time() - age
    pk, driver = (user, True) if isinstance(user, UUID) else (user.pk, user.role == Role.DRIVER)
    positions().report(pk, reported_at(place, at), at, driver=driver)


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
    if tracked_km:
        backdate(ride, tracked_km * 100 + 10)
        drive(ride, *((tracked_km * 50 * n, tracked_km * 5 * n) for n in range(1, 21)))
    ride_arrived(user_id=driver.pk, ride_id=ride.pk, adjustment_factor=factor)
    ride.refresh_from_db()
    return ride


def backdate(ride: Ride, seconds: float) -> None:
    """Let a ride, and the first point of its track, have begun earlier."""
    started = timezone.now() - timedelta(seconds=seconds)
    fix = fix_at(MONAS, started.timestamp())
    progress, _ = advance(Progress(), fix, limits_of(ride))
    kept = msgspec.json.encode(progress).decode()
    Ride.objects.filter(pk=ride.pk, status=RideStatus.ONGOING).update(started_at=started, progress=kept)
    TrackPoint.objects.filter(ride=ride).update(timestamp=started, received_at=started)
    ride.refresh_from_db()


def fix_at(place: GeoPoint, at: float, accuracy: float | None = None, clock: float | None = None) -> Fix:
    """What a phone reports at a place; `clock` is how many seconds its clock is wrong, None that it says no time."""
    return Fix(place.latitude, place.longitude, at, None if clock is None else at + clock, "", accuracy)


def drive(ride: Ride, *steps: tuple[float, float], accuracy: float | None = 5) -> None:
    """Record reports at (metres to the north, seconds after the start), in the order in which they come in."""
    assert ride.started_at is not None
    started = ride.started_at.timestamp()
    fixes = [fix_at(north_of(MONAS, metres), started + seconds, accuracy) for metres, seconds in steps]
    tracks_record(reports={ride.pk: [Report(fix, fix.received_at) for fix in fixes]})


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
