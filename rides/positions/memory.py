"""Positions in the memory of the one process of the embedded default."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from threading import Lock
from uuid import UUID

from rides.geo import GeoPoint, distance_km
from rides.positions.base import Position

KM_PER_DEGREE = 111.0
"""Slightly less than the length of a degree of latitude, so that the quick look below never misses anybody."""


class MemoryPositions:
    """A dict of positions. A search looks at all of them: half a millisecond for ten thousand."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: dict[UUID, tuple[GeoPoint, float]] = {}
        self._drivers: set[UUID] = set()
        self._connections: dict[UUID, int] = {}

    def report(self, user_id: UUID, point: GeoPoint, received_at: float, *, driver: bool) -> None:
        """Take a user's position; only those of drivers are found by `drivers_near`."""
        with self._lock:
            self._places[user_id] = (point, received_at)
            if driver:
                self._drivers.add(user_id)

    def last(self, user_id: UUID) -> Position | None:
        """Return the last position of a user, however old."""
        with self._lock:
            place = self._places.get(user_id)
            return place and Position(user_id, *place, online=user_id in self._connections)

    def last_of(self, user_ids: Collection[UUID]) -> dict[UUID, Position]:
        """Return the last positions of these users, however old."""
        with self._lock:
            return {
                user_id: Position(user_id, *self._places[user_id], online=user_id in self._connections)
                for user_id in user_ids
                if user_id in self._places
            }

    def drivers_near(self, point: GeoPoint, radius_km: float, received_after: float) -> list[tuple[float, Position]]:
        """Return `(distance in km, position)` of the drivers within the radius, nearest first."""
        reach = radius_km / KM_PER_DEGREE
        with self._lock:
            around = [
                Position(user_id, place, at, online=user_id in self._connections)
                for user_id, (place, at) in ((driver, self._places[driver]) for driver in self._drivers)
                if abs(place.latitude - point.latitude) <= reach and at >= received_after
            ]
        found = [(distance_km(point, position.point), position) for position in around]
        return sorted((pair for pair in found if pair[0] <= radius_km), key=lambda pair: pair[0])

    def connected(self, user_id: UUID, connection: int) -> None:
        """Note that a user is connected by the connection of this number."""
        with self._lock:
            self._connections[user_id] = max(connection, self._connections.get(user_id, 0))

    def disconnected(self, user_id: UUID, connection: int) -> None:
        """Note that this connection of a user has ended."""
        with self._lock:
            if self._connections.get(user_id) == connection:
                del self._connections[user_id]

    def keep_online(self, connections: Mapping[UUID, int]) -> None:
        """Do nothing: in this process connections are noted until they end."""

    def settle(self) -> None:
        """Do nothing: what is reported is there at once."""

    def forget(self, received_before: float) -> int:
        """Drop positions that were received before; return how many."""
        with self._lock:
            old = [user_id for user_id, (_, at) in self._places.items() if at < received_before]
            for user_id in old:
                del self._places[user_id]
                self._drivers.discard(user_id)
            return len(old)
