"""Positions in Redis or Valkey, for any number of processes.

What is reported is collected and written by `flush`, which the server calls every `POSITIONS_INTERVAL`, and this
store before it reads: one round trip for all that came in meanwhile.

A user's place is a key of its own, which ends after `HISTORY_TTL`; drivers are on a GEO index besides, whose distances
are only a first look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings

from common.redis import PREFIX, sync_redis
from rides.geo import GeoPoint, distance_km
from rides.metering.whereabouts import Whereabouts
from rides.positions.base import Position, circles, reported_at
from rides.positions.grid import KM_PER_DEGREE
from users.presence import presence

DRIVERS = f"{PREFIX}drivers"
HEARD = f"{PREFIX}drivers-heard"

POLAR = f"{PREFIX}drivers-polar"
"""The drivers beyond `MAX_LATITUDE`: a set that is read as a whole, since nobody expects many."""

MAX_LATITUDE = 85.05
"""The GEO index of Redis ends here (https://redis.io/docs/latest/commands/geoadd/)."""

MAX_FOUND = 2000
"""Drivers that are looked at in one search, nearest first."""

REACH = 1.01
"""The first look goes a little further: Redis has another earth radius, and cells instead of points."""


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Latitude, longitude and the two that follow are what earlier versions wrote, and still read."""

    latitude: float
    longitude: float
    received_at: float
    driver: bool
    where: Whereabouts | None = None

    @property
    def whereabouts(self) -> Whereabouts:
        return self.where or reported_at(GeoPoint(self.latitude, self.longitude), self.received_at)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Place).decode


class RedisPositions:
    """The positions of all processes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._writing = Lock()
        self._places: dict[UUID, _Place] = {}
        self._wake: Callable[[], object] | None = None

    def report(self, user_id: UUID, where: Whereabouts, received_at: float, *, driver: bool) -> None:
        """Take a user's position; only those of drivers are found by `drivers_near`."""
        with self._lock:
            is_first = not self._places
            self._places[user_id] = _Place(where.fix.latitude, where.fix.longitude, received_at, driver, where)
        if is_first and (wake := self._wake) is not None:
            wake()

    def last(self, user_id: UUID) -> Position | None:
        """Return the last position of a user, however old."""
        return self.last_of([user_id]).get(user_id)

    def last_of(self, user_ids: Collection[UUID]) -> dict[UUID, Position]:
        """Return the last positions of these users, however old."""
        self.flush()
        return {position.user_id: position for position in _positions(_read(list(user_ids)))}

    def drivers_near(
        self, point: GeoPoint, radius_km: float, made_after: float, most: int
    ) -> list[tuple[float, Position]]:
        """Return `(distance in km, position)` of the `most` nearest drivers within the radius, nearest first."""
        self.flush()
        fresh = _fresh_around(point, radius_km, made_after, most)
        found = sorted((_distance(point, place), user_id, place) for user_id, place in fresh.items())[:most]
        places = _positions({user_id: place for _, user_id, place in found})
        return [(km, place) for (km, _, _), place in zip(found, places, strict=True)]

    @property
    def has_unflushed(self) -> bool:
        """Whether positions were reported that others cannot see yet."""
        return bool(self._places)

    def listen(self, wake: Callable[[], object] | None) -> None:
        """Call `wake`, from any thread, whenever `flush` gets something to do; None: no more."""
        self._wake = wake

    def flush(self) -> None:
        """Write what was collected. When that fails it stays collected, and the error is raised."""
        with self._writing:
            with self._lock:
                places, self._places = self._places, {}
            if not places:
                return
            try:
                _write(places)
            except BaseException:
                with self._lock:
                    self._places = {**places, **self._places}
                raise

    def erase(self, user_id: UUID) -> None:
        """Drop the position of one user."""
        with self._writing:  # or one that is just being written comes after it
            with self._lock:
                self._places.pop(user_id, None)
            with sync_redis().pipeline(transaction=True) as pipeline:
                pipeline.delete(_place_key(user_id))
                for index in (DRIVERS, HEARD):
                    pipeline.zrem(index, str(user_id))
                pipeline.srem(POLAR, str(user_id))
                pipeline.execute()

    def forget(self, received_before: float) -> int:
        """Drop positions that were received before; return how many.

        The places end by themselves; what is left to do is the index of drivers.
        """
        redis = sync_redis()
        old = redis.zrangebyscore(HEARD, "-inf", f"({received_before}")
        if old:
            with redis.pipeline(transaction=True) as pipeline:
                pipeline.zrem(DRIVERS, *old)
                pipeline.srem(POLAR, *old)
                pipeline.zrem(HEARD, *old)
                pipeline.execute()
        return len(old)


def _fresh_around(point: GeoPoint, radius_km: float, made_after: float, most: int) -> dict[UUID, _Place]:
    """Return at least the `most` nearest drivers within the radius, of those whose position is new enough.

    It asks for a few more than that, since some positions are old; where that is not enough, for all there are.
    """
    is_polar = abs(point.latitude) + radius_km / KM_PER_DEGREE > MAX_LATITUDE
    growing = [radius_km] if is_polar else list(circles(radius_km, most, growth=8))
    within: dict[UUID, _Place] = {}
    for count in (most + most // 2, MAX_FOUND):
        for circle in growing:
            around = _drivers_around(point, circle * REACH, count)
            if len(around) >= count:
                break
        fresh = {pk: place for pk, place in _read(around).items() if place.whereabouts.at >= made_after}
        within = {pk: place for pk, place in fresh.items() if _distance(point, place) <= radius_km}
        if len(within) >= most or len(around) < count:
            break
    return within


def _distance(point: GeoPoint, place: _Place) -> float:
    return distance_km(point, GeoPoint(place.latitude, place.longitude))


def _drivers_around(point: GeoPoint, radius_km: float, count: int) -> list[UUID]:
    """Return drivers who may be within the radius, nearest first; near a pole, all who are beyond the index."""
    members: Any = sync_redis().geosearch(
        DRIVERS,
        longitude=point.longitude,
        latitude=math.copysign(min(abs(point.latitude), MAX_LATITUDE), point.latitude),
        radius=radius_km,
        unit="km",
        sort="ASC",
        count=count,
    )
    if abs(point.latitude) + radius_km / KM_PER_DEGREE > MAX_LATITUDE:
        members += list(sync_redis().smembers(POLAR))
    return [UUID(member.decode()) for member in members]


def _read(user_ids: Sequence[UUID]) -> dict[UUID, _Place]:
    """Return the places of those users who have one; one round trip."""
    if not user_ids:
        return {}
    written: Any = sync_redis().mget([_place_key(user_id) for user_id in user_ids])
    pairs = zip(user_ids, written, strict=True)
    return {user_id: _decode(place) for user_id, place in pairs if place is not None}


def _positions(places: Mapping[UUID, _Place]) -> list[Position]:
    """Return places with whether their users are connected; one more round trip."""
    online = presence().online(places)
    return [
        Position(user_id, place.whereabouts, place.received_at, online=user_id in online)
        for user_id, place in places.items()
    ]


def _write(places: Mapping[UUID, _Place]) -> None:
    redis = sync_redis()
    ttl = int(settings.HISTORY_TTL.total_seconds() * 1000)
    with redis.pipeline(transaction=False) as pipeline:
        for user_id, place in places.items():
            pipeline.set(_place_key(user_id), _encode(place), px=ttl)
        _index(pipeline, {user_id: place for user_id, place in places.items() if place.driver})
        pipeline.execute()


def _index(pipeline: Any, drivers: Mapping[UUID, _Place]) -> None:
    """Put drivers on the GEO index, or among those beyond it."""
    polar = [str(user_id) for user_id, place in drivers.items() if abs(place.latitude) > MAX_LATITUDE]
    indexed = {str(user_id): place for user_id, place in drivers.items() if abs(place.latitude) <= MAX_LATITUDE}
    if indexed:
        coordinates = [value for name, place in indexed.items() for value in (place.longitude, place.latitude, name)]
        pipeline.geoadd(DRIVERS, coordinates)
        pipeline.srem(POLAR, *indexed)
    if polar:
        pipeline.zrem(DRIVERS, *polar)
        pipeline.sadd(POLAR, *polar)
    if drivers:
        pipeline.zadd(HEARD, {str(user_id): place.received_at for user_id, place in drivers.items()})


def _place_key(user_id: UUID) -> str:
    return f"{PREFIX}place:{user_id}"
