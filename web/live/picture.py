"""The town as the live map shows it at one moment, and what changes from one moment to the next."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings

from common import clock
from realtime.metrics import Totals, totals
from rides.geo import GeoPoint, distance_km
from rides.models import RideStatus
from rides.positions import Position, positions
from rides.staff.overview import OnDuty, Overview, Point, Search, UnderWay, overview
from users.models import Role
from users.presence import presence

SETTLING = 3.0
LATE = 5000
"""Points with a lower number than those seen may still be committed, for so many seconds and so many numbers below."""

LEAST_STEP_KM = 0.02
"""Points of a track nearer than this to the one before are left out: nobody could see them."""

Item = dict[str, Any]
Items = dict[str, Item]
Place = tuple[float, float]


class Picture(msgspec.Struct, frozen=True):
    """What is shown: things by id. A track is a list that only grows, and how much of it belongs to this picture."""

    number: int
    at: float
    drivers: Items
    searches: Items
    rides: Items
    tracks: dict[str, tuple[list[Place], int]]
    figures: Item


NOTHING = Picture(0, 0.0, {}, {}, {}, {}, {})


class Track:
    """The driven part of a ride."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._last: GeoPoint | None = None
        self._number = 0

    def add(self, point: Point) -> None:
        """Take a point, unless it is known or too near."""
        if point.number <= self._number:
            return
        self._number = point.number
        if self._last is None or distance_km(self._last, point.place) >= LEAST_STEP_KM:
            self._last = point.place
            self.places.append(_place(point.place))


class Painter:
    """Makes one picture after another; not for two threads at once. It reads the database and the stores."""

    def __init__(self) -> None:
        self._number = 0
        self._tracks: dict[UUID, Track] = {}
        self._read: deque[tuple[float, int]] = deque()
        self._settled = 0
        self._before: tuple[float, Totals] | None = None

    def paint(self) -> Picture:
        """Look at everything."""
        now = clock.now()
        town = overview(now, self._settled)
        self._follow(town)
        duty = {driver.person.user_id: driver for driver in (*town.drivers, *(ride.driver for ride in town.rides))}
        places = positions().last_of(duty)
        self._number += 1
        return Picture(
            number=self._number,
            at=now.timestamp(),
            drivers=_drivers(duty, town, places, now),
            searches=_searches(town),
            rides=_by_id(map(_ride, town.rides)),
            tracks={str(ride_id): (track.places, len(track.places)) for ride_id, track in self._tracks.items()},
            figures={**self._figures(), "day": town.day},
        )

    def _follow(self, town: Overview) -> None:
        """Go on with the tracks of the rides that are driven, and forget the others."""
        driven = {ride.ride_id for ride in town.rides if ride.status == RideStatus.ONGOING}
        self._tracks = {ride_id: self._tracks.get(ride_id) or Track() for ride_id in driven}
        for point in town.points:
            if point.ride_id in driven:
                self._tracks[point.ride_id].add(point)
        now = time.monotonic()
        if town.points:
            newest = town.points[-1].number
            self._read.append((now, newest))
            self._settled = max(self._settled, newest - LATE)
        while self._read and now - self._read[0][0] >= SETTLING:
            self._settled = max(self._settled, self._read.popleft()[1])

    def _figures(self) -> Item:
        """Count connections over all processes, and what this server did a second since the picture before."""
        everyone = presence().everyone()
        roles = Counter(one.role for one in everyone)
        now, counted = time.monotonic(), totals()
        then, before = self._before or (now, counted)
        self._before = (now, counted)
        span = max(now - then, 0.001)
        return {
            "connections": {role: roles[role] for role in Role.values},
            "stale": sum(one.is_stale for one in everyone),
            "processes": dict(sorted(Counter(one.process for one in everyone).items())),
            "rates": {
                name: round((getattr(counted, name) - getattr(before, name)) / span, 1)
                for name in ("frames_in", "frames_out", "errors")
            },
        }


def frame(old: Picture, new: Picture) -> str:
    """Return what a viewer who has the old picture needs for the new one; who has `NOTHING` gets all of it."""
    data: Item = {"number": new.number, "at": new.at, "figures": new.figures}
    for name in ("drivers", "searches", "rides"):
        before, after = getattr(old, name), getattr(new, name)
        data[name] = {"set": _changed(before, after), "gone": [key for key in before if key not in after]}
    data["tracks"] = {}
    for ride_id, (places, length) in new.tracks.items():
        _, known = old.tracks.get(ride_id, ((), 0))
        if length > known:
            data["tracks"][ride_id] = places[known:length]
    kind = "snapshot" if old is NOTHING else "delta"
    return msgspec.json.encode({"type": kind, "data": data}).decode()


def _changed(before: Items, after: Items) -> list[Item]:
    """Return new things whole, and of the others the fields that have changed, with their id."""
    changed = []
    for key, item in after.items():
        was = before.get(key)
        if was is None:
            changed.append(item)
        elif was != item:
            changed.append({"id": key, **{name: value for name, value in item.items() if was[name] != value}})
    return changed


def _drivers(duty: Mapping[UUID, OnDuty], town: Overview, places: Mapping[UUID, Position], now: datetime) -> Items:
    rides = {ride.driver.person.user_id: ride for ride in town.rides}
    asked = {driver_id for _, driver_id in town.proposals}
    oldest = now.timestamp() - settings.LOCATION_MAX_AGE.total_seconds()
    items = {}
    for user_id, driver in duty.items():
        place, ride = places.get(user_id), rides.get(user_id)
        is_here = place is not None and place.online and place.made_at >= oldest
        items[str(user_id)] = {
            "id": str(user_id),
            "name": driver.person.name,
            "phone": driver.person.msisdn,
            "vehicle": driver.vehicle_type,
            "plate": driver.vehicle_plate,
            "state": _state(ride, is_asked=user_id in asked, is_here=is_here),
            "online": place is not None and place.online,
            "place": place and _place(place.point),
            "seen": place and int(place.made_at),
            "ride": ride and str(ride.ride_id),
        }
    return items


def _state(ride: UnderWay | None, *, is_asked: bool, is_here: bool) -> str:
    """Return what a driver is doing; `away` is beacon on, but not connected or without a recent position."""
    if ride is not None:
        return "pickup" if ride.status == RideStatus.PICKUP else "riding"
    if not is_here:
        return "away"
    return "asked" if is_asked else "free"


def _searches(town: Overview) -> Items:
    asked = Counter(finder_id for finder_id, _ in town.proposals)
    return _by_id(_search(search, asked[search.finder_id]) for search in town.searches)


def _search(search: Search, asked: int) -> Item:
    return {
        "id": str(search.finder_id),
        "passenger": str(search.passenger.user_id),
        "name": search.passenger.name,
        "phone": search.passenger.msisdn,
        "place": _place(search.pickup),
        "target": _place(search.target),
        "attempts": search.attempts,
        "asked": asked,
        "since": int(search.created_at.timestamp()),
    }


def _ride(ride: UnderWay) -> Item:
    return {
        "id": str(ride.ride_id),
        "state": "pickup" if ride.status == RideStatus.PICKUP else "riding",
        "driver": str(ride.driver.person.user_id),
        "name": ride.driver.person.name,
        "passenger": str(ride.passenger.user_id),
        "passenger_name": ride.passenger.name,
        "phone": ride.passenger.msisdn,
        "place": _place(ride.pickup),
        "target": _place(ride.target),
        "since": int(ride.created_at.timestamp()),
        "started": ride.started_at and int(ride.started_at.timestamp()),
        "km": round(ride.tracked_km, 2),
        "cost": ride.total_cost,
    }


def _by_id(items: Iterable[Item]) -> Items:
    return {item["id"]: item for item in items}


def _place(point: GeoPoint) -> Place:
    """Return a place to the metre."""
    return round(point.latitude, 5), round(point.longitude, 5)
