"""Positions in the memory of the one process of the embedded default."""

from __future__ import annotations

from collections.abc import Collection
from threading import Lock
from uuid import UUID

from msgspec.structs import replace

from rides.geo import GeoPoint, distance_km
from rides.metering.whereabouts import Whereabouts
from rides.positions.base import Position
from users.presence import presence

KM_PER_DEGREE = 111.0
"""Slightly less than the length of a degree of latitude, so that the quick look below never misses anybody."""


class MemoryPositions:
    """A dict of positions. A search looks at all of them, so its cost grows with their number."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: dict[UUID, tuple[Whereabouts, float]] = {}
        self._drivers: set[UUID] = set()

    def report(self, user_id: UUID, where: Whereabouts, received_at: float, *, driver: bool) -> None:
        """Take a user's position; only those of drivers are found by `drivers_near`."""
        with self._lock:
            self._places[user_id] = (where, received_at)
            if driver:
                self._drivers.add(user_id)

    def last(self, user_id: UUID) -> Position | None:
        """Return the last position of a user, however old."""
        return self.last_of([user_id]).get(user_id)

    def last_of(self, user_ids: Collection[UUID]) -> dict[UUID, Position]:
        """Return the last positions of these users, however old."""
        with self._lock:
            places = {user_id: self._places[user_id] for user_id in user_ids if user_id in self._places}
        online = presence().online(places)
        return {user_id: Position(user_id, *place, online=user_id in online) for user_id, place in places.items()}

    def drivers_near(self, point: GeoPoint, radius_km: float, made_after: float) -> list[tuple[float, Position]]:
        """Return `(distance in km, position)` of the drivers within the radius, nearest first."""
        reach = radius_km / KM_PER_DEGREE
        with self._lock:
            around = [
                Position(driver, *place, online=False)
                for driver, place in ((driver, self._places[driver]) for driver in self._drivers)
                if abs(place[0].fix.latitude - point.latitude) <= reach and place[0].at >= made_after
            ]
        near = [(distance_km(point, place.point), place) for place in around]
        found = sorted((one for one in near if one[0] <= radius_km), key=lambda one: one[0])
        online = presence().online([place.user_id for _, place in found])
        return [(km, replace(place, online=place.user_id in online)) for km, place in found]

    def flush(self) -> None:
        """Do nothing: what is reported is there at once."""

    def erase(self, user_id: UUID) -> None:
        """Drop the position of one user."""
        with self._lock:
            self._places.pop(user_id, None)
            self._drivers.discard(user_id)

    def forget(self, received_before: float) -> int:
        """Drop positions that were received before; return how many."""
        with self._lock:
            old = [user_id for user_id, (_, at) in self._places.items() if at < received_before]
            for user_id in old:
                del self._places[user_id]
                self._drivers.discard(user_id)
            return len(old)
