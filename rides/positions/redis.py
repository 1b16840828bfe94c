"""Positions in Redis or Valkey, for any number of processes.

What is reported is collected and written with `settle`, which the server calls every `POSITIONS_INTERVAL`, and this
store before it reads: one round trip for all that came in meanwhile.

A user's place is a key of its own, which ends after `HISTORY_TTL`; drivers are on a GEO index besides, whose distances
are only a first look. A connection is a key too, which ends after `ONLINE_TTL` unless `keep_online` is called: a
process that died leaves nobody online.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings

from common.redis import PREFIX, sync_redis
from rides.geo import GeoPoint, distance_km
from rides.positions.base import Position

DRIVERS = f"{PREFIX}drivers"
HEARD = f"{PREFIX}drivers-heard"

ONLINE_TTL = 10.0
"""Seconds."""

MAX_LATITUDE = 85.05
"""The index of Redis ends here; the place itself is kept as it is."""

MAX_FOUND = 2000
"""Drivers that are looked at in one search, nearest first."""

CONNECTIONS_PER_CALL = 1000
"""Connections noted by one call of the script."""

REACH = 1.01
"""The first look goes a little further: Redis has another earth radius, and cells instead of points."""

_CONNECTED = """
for i = 2, #ARGV, 2 do
  local key = ARGV[i]
  if (tonumber(redis.call('GET', key)) or 0) <= tonumber(ARGV[i + 1]) then
    redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1])
  end
end
"""

_DISCONNECTED = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class _Place(msgspec.Struct, frozen=True, array_like=True):
    latitude: float
    longitude: float
    received_at: float
    driver: bool

    @property
    def point(self) -> GeoPoint:
        return GeoPoint(self.latitude, self.longitude)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Place).decode


class RedisPositions:
    """The positions and connections of all processes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._writing = Lock()
        self._places: dict[UUID, _Place] = {}
        self._changes: list[tuple[UUID, int, bool]] = []

    def report(self, user_id: UUID, point: GeoPoint, received_at: float, *, driver: bool) -> None:
        """Take a user's position; only those of drivers are found by `drivers_near`."""
        with self._lock:
            self._places[user_id] = _Place(point.latitude, point.longitude, received_at, driver)

    def last(self, user_id: UUID) -> Position | None:
        """Return the last position of a user, however old."""
        return self.last_of([user_id]).get(user_id)

    def last_of(self, user_ids: Collection[UUID]) -> dict[UUID, Position]:
        """Return the last positions of these users, however old."""
        self.settle()
        return {
            user_id: Position(user_id, place.point, place.received_at, online=online)
            for user_id, place, online in self._read(list(user_ids))
        }

    def drivers_near(self, point: GeoPoint, radius_km: float, received_after: float) -> list[tuple[float, Position]]:
        """Return `(distance in km, position)` of the drivers within the radius, nearest first."""
        self.settle()
        redis = sync_redis()
        members: Any = redis.geosearch(
            DRIVERS,
            longitude=point.longitude,
            latitude=_clamped(point.latitude),
            radius=radius_km * REACH,
            unit="km",
            sort="ASC",
            count=MAX_FOUND,
        )
        user_ids = [UUID(member.decode()) for member in members]
        found = []
        for user_id, place, online in self._read(user_ids):
            distance = distance_km(point, place.point)
            if place.received_at >= received_after and distance <= radius_km:
                found.append((distance, Position(user_id, place.point, place.received_at, online=online)))
        return sorted(found, key=lambda pair: pair[0])

    def connected(self, user_id: UUID, connection: int) -> None:
        """Note that a user is connected by the connection of this number."""
        with self._lock:
            self._changes.append((user_id, connection, True))

    def disconnected(self, user_id: UUID, connection: int) -> None:
        """Note that this connection of a user has ended."""
        with self._lock:
            self._changes.append((user_id, connection, False))

    def keep_online(self, connections: Mapping[UUID, int]) -> None:
        """Note that these users are still connected, each by the connection of his number."""
        with self._lock:
            self._changes += [(user_id, number, True) for user_id, number in connections.items()]

    def settle(self) -> None:
        """Write what was collected. When that fails it stays collected, and the error is raised."""
        with self._writing:
            with self._lock:
                places, self._places = self._places, {}
                changes, self._changes = self._changes, []
            if not places and not changes:
                return
            try:
                self._write(places, changes)
            except BaseException:
                with self._lock:
                    self._places = {**places, **self._places}
                    self._changes = _newest([*changes, *self._changes])
                raise

    def forget(self, received_before: float) -> int:
        """Drop positions that were received before; return how many.

        The places end by themselves; what is left to do is the index of drivers.
        """
        redis = sync_redis()
        old = redis.zrangebyscore(HEARD, "-inf", f"({received_before}")
        if old:
            with redis.pipeline(transaction=True) as pipeline:
                pipeline.zrem(DRIVERS, *old)
                pipeline.zrem(HEARD, *old)
                pipeline.execute()
        return len(old)

    @staticmethod
    def _read(user_ids: Sequence[UUID]) -> Iterator[tuple[UUID, _Place, bool]]:
        """Yield the places of those users who have one, and whether they are connected; one round trip."""
        if not user_ids:
            return
        written: Any = sync_redis().mget([key(user_id) for key in (_place_key, _online_key) for user_id in user_ids])
        places, connections = written[: len(user_ids)], written[len(user_ids) :]
        for user_id, place, connection in zip(user_ids, places, connections, strict=True):
            if place is not None:
                yield user_id, _decode(place), connection is not None

    @staticmethod
    def _write(places: Mapping[UUID, _Place], changes: Iterable[tuple[UUID, int, bool]]) -> None:
        redis = sync_redis()
        ttl = int(settings.HISTORY_TTL.total_seconds() * 1000)
        connect, disconnect = redis.register_script(_CONNECTED), redis.register_script(_DISCONNECTED)
        with redis.pipeline(transaction=False) as pipeline:
            for user_id, place in places.items():
                pipeline.set(_place_key(user_id), _encode(place), px=ttl)
            drivers = {user_id: place for user_id, place in places.items() if place.driver}
            if drivers:
                index: list[Any] = []
                for user_id, place in drivers.items():
                    index += (place.longitude, _clamped(place.latitude), str(user_id))
                pipeline.geoadd(DRIVERS, index)
                pipeline.zadd(HEARD, {str(user_id): place.received_at for user_id, place in drivers.items()})
            online = [(user_id, number) for user_id, number, is_online in changes if is_online]
            for start in range(0, len(online), CONNECTIONS_PER_CALL):
                pairs = online[start : start + CONNECTIONS_PER_CALL]
                arguments = [text for user_id, number in pairs for text in (_online_key(user_id), number)]
                connect(args=[int(ONLINE_TTL * 1000), *arguments], client=pipeline)
            for user_id, number, is_online in changes:
                if not is_online:  # after all that began: the end of a connection is its last word
                    disconnect(keys=[_online_key(user_id)], args=[number], client=pipeline)
            pipeline.execute()


def _newest(changes: Iterable[tuple[UUID, int, bool]]) -> list[tuple[UUID, int, bool]]:
    """Return the last change of each connection: while Redis is away they must not pile up."""
    last = {(user_id, number): is_online for user_id, number, is_online in changes}
    return [(user_id, number, is_online) for (user_id, number), is_online in last.items()]


def _place_key(user_id: UUID) -> str:
    return f"{PREFIX}place:{user_id}"


def _online_key(user_id: UUID) -> str:
    return f"{PREFIX}online:{user_id}"


def _clamped(latitude: float) -> float:
    return math.copysign(min(abs(latitude), MAX_LATITUDE), latitude)
