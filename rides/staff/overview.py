"""Reads everything that is under way, for the live map."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.db.models import Count

from common.db import read_snapshot
from rides.geo import GeoPoint
from rides.models import DRIVER_BUSY, OPEN_MATCH, Beacon, Finder, FinderStatus, Match, Ride, RideStatus, TrackPoint
from users.phone import masked

MOST = 5000
"""Of each kind, the newest: more is neither looked at nor drawn."""

DAY = timedelta(hours=24)

# Plain columns: objects of the models would take twice the time.
_DRIVER = ("driver__full_name", "driver__msisdn", "driver__driver__vehicle_type", "driver__driver__vehicle_plate")
_PASSENGER = ("passenger__full_name", "passenger__msisdn")
_PLACES = ("latitude", "longitude", "target_latitude", "target_longitude")


class Person(msgspec.Struct, frozen=True):
    """A user with a name to show: their number, of which the middle is hidden, where they gave none."""

    user_id: UUID
    name: str
    msisdn: str


class OnDuty(msgspec.Struct, frozen=True):
    """A driver whose beacon is on, or who is on a ride."""

    person: Person
    vehicle_type: str
    vehicle_plate: str


class Search(msgspec.Struct, frozen=True):
    """A passenger's search for a driver."""

    finder_id: UUID
    passenger: Person
    pickup: GeoPoint
    target: GeoPoint
    attempts: int
    created_at: datetime


class UnderWay(msgspec.Struct, frozen=True):
    """A ride on the way to its pick-up or to its target."""

    ride_id: UUID
    status: str
    driver: OnDuty
    passenger: Person
    pickup: GeoPoint
    target: GeoPoint
    created_at: datetime
    started_at: datetime | None
    tracked_km: float
    total_cost: int


class Point(msgspec.Struct, frozen=True):
    """A counted point of the track of a ride that is driven."""

    number: int
    ride_id: UUID
    place: GeoPoint


class Overview(msgspec.Struct, frozen=True):
    """The town at one moment.

    `proposals` are open ones, as finder and driver. `day` has the rides booked within the last 24 hours, by status.
    """

    drivers: list[OnDuty]
    proposals: list[tuple[UUID, UUID]]
    searches: list[Search]
    rides: list[UnderWay]
    points: list[Point]
    day: dict[str, int]


def overview(now: datetime, points_after: int = 0) -> Overview:
    """Return what is under way, read at one moment; of tracks only the points with a number above `points_after`."""
    with read_snapshot():
        return Overview(
            drivers=list(_drivers()),
            proposals=_proposals(now),
            searches=list(_searches()),
            rides=list(_rides()),
            points=list(_points(points_after)),
            day=_day(now),
        )


def _drivers() -> Iterator[OnDuty]:
    beacons = Beacon.objects.filter(is_active=True, driver__is_active=True).order_by("-changed_at")
    for row in beacons.values_list("driver_id", *_DRIVER)[:MOST]:
        yield _on_duty(*row)


def _proposals(now: datetime) -> list[tuple[UUID, UUID]]:
    matches = Match.objects.filter(status__in=OPEN_MATCH, expires_at__gt=now).order_by("-created_at")
    return list(matches.values_list("finder_id", "driver_id")[:MOST])


def _searches() -> Iterator[Search]:
    finders = Finder.objects.filter(status=FinderStatus.OPEN).order_by("-created_at")
    fields = ("pk", "attempts", "created_at", "passenger_id", *_PASSENGER, *_PLACES)
    for pk, attempts, created_at, *rest in finders.values_list(*fields)[:MOST]:
        passenger, (pickup, target) = _person(*rest[:3]), _places(*rest[3:])
        yield Search(pk, passenger, pickup, target, attempts, created_at)


def _rides() -> Iterator[UnderWay]:
    rides = Ride.objects.filter(status__in=DRIVER_BUSY).order_by("-created_at")
    places = (f"match__{name}" for name in _PLACES)
    people = ("driver_id", *_DRIVER, "passenger_id", *_PASSENGER, *places)
    own = ("pk", "status", "created_at", "started_at", "tracked_km", "total_cost")
    for pk, status, created_at, started_at, km, cost, *rest in rides.values_list(*own, *people)[:MOST]:
        driver, passenger, (pickup, target) = _on_duty(*rest[:5]), _person(*rest[5:8]), _places(*rest[8:])
        yield UnderWay(pk, status, driver, passenger, pickup, target, created_at, started_at, km, cost)


def _points(after: int) -> Iterator[Point]:
    points = TrackPoint.objects.filter(ride__status=RideStatus.ONGOING, accepted=True, pk__gt=after).order_by("pk")
    for number, ride_id, latitude, longitude in points.values_list("pk", "ride_id", "latitude", "longitude"):
        yield Point(number, ride_id, GeoPoint(latitude, longitude))


def _day(now: datetime) -> dict[str, int]:
    rides = Ride.objects.filter(created_at__gte=now - DAY).order_by()
    return dict(rides.values_list("status").annotate(Count("pk")))


def _on_duty(user_id: UUID, name: str, msisdn: str, kind: str | None, plate: str | None) -> OnDuty:
    return OnDuty(_person(user_id, name, msisdn), kind or "", plate or "")


def _person(user_id: UUID, name: str, msisdn: str) -> Person:
    number = masked(msisdn)
    return Person(user_id, name or number, number)


def _places(latitude: float, longitude: float, target_latitude: float, target_longitude: float) -> list[GeoPoint]:
    return [GeoPoint(latitude, longitude), GeoPoint(target_latitude, target_longitude)]
