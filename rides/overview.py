"""Reading everything that is under way, for those who look over the whole town."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.db.models import Count

from nebengjek.db import read_snapshot
from rides.geo import GeoPoint
from rides.models import DRIVER_BUSY, OPEN_MATCH, Beacon, Finder, FinderStatus, Match, Ride, RideStatus, TrackPoint

MOST = 5000
"""Of each kind, the newest: more is neither looked at nor drawn."""

DAY = timedelta(hours=24)


class Person(msgspec.Struct, frozen=True):
    """A user, with a name to show: that of his phone where he gave none."""

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
    who = ("driver_id", "driver__full_name", "driver__msisdn")
    for *person, kind, plate in beacons.values_list(
        *who, "driver__driver__vehicle_type", "driver__driver__vehicle_plate"
    )[:MOST]:
        yield OnDuty(_person(*person), kind or "", plate or "")


def _proposals(now: datetime) -> list[tuple[UUID, UUID]]:
    matches = Match.objects.filter(status__in=OPEN_MATCH, expires_at__gt=now).order_by("-created_at")
    return list(matches.values_list("finder_id", "driver_id")[:MOST])


def _searches() -> Iterator[Search]:
    finders = Finder.objects.filter(status=FinderStatus.OPEN).select_related("passenger")
    for finder in finders.order_by("-created_at")[:MOST]:
        who = _person(finder.passenger_id, finder.passenger.full_name, finder.passenger.msisdn)
        places = (finder.location, finder.target_location)
        yield Search(finder.pk, who, *places, finder.attempts, finder.created_at)


def _rides() -> Iterator[UnderWay]:
    rides = Ride.objects.filter(status__in=DRIVER_BUSY).select_related("match", "passenger", "driver__driver")
    for ride in rides.order_by("-created_at")[:MOST]:
        vehicle = getattr(ride.driver, "driver", None)
        driver = OnDuty(
            _person(ride.driver_id, ride.driver.full_name, ride.driver.msisdn),
            vehicle.vehicle_type if vehicle else "",
            vehicle.vehicle_plate if vehicle else "",
        )
        yield UnderWay(
            ride_id=ride.pk,
            status=ride.status,
            driver=driver,
            passenger=_person(ride.passenger_id, ride.passenger.full_name, ride.passenger.msisdn),
            pickup=ride.match.location,
            target=ride.match.target_location,
            created_at=ride.created_at,
            started_at=ride.started_at,
            tracked_km=ride.tracked_km,
            total_cost=ride.total_cost,
        )


def _points(after: int) -> Iterator[Point]:
    points = TrackPoint.objects.filter(ride__status=RideStatus.ONGOING, accepted=True, pk__gt=after).order_by("pk")
    for number, ride_id, latitude, longitude in points.values_list("pk", "ride_id", "latitude", "longitude"):
        yield Point(number, ride_id, GeoPoint(latitude, longitude))


def _day(now: datetime) -> dict[str, int]:
    rides = Ride.objects.filter(created_at__gte=now - DAY).order_by()
    return dict(rides.values_list("status").annotate(Count("pk")))


def _person(user_id: UUID, name: str, msisdn: str) -> Person:
    return Person(user_id, name or msisdn, msisdn)
