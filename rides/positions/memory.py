"""Positions in the memory of the one process of the embedded default."""

from __future__ import annotations

from collections.abc import Callable, Collection
from threading import Lock
from uuid import UUID

from msgspec.structs import replace

from rides.geo import GeoPoint, distance_km
from rides.metering.whereabouts import Whereabouts
from rides.positions.base import Position, circles
from rides.positions.grid import KM_PER_DEGREE, ROW_DEGREES, Cell, cell_of, cells_around
from users.presence import presence


class MemoryPositions:
    """A dict of positions, and a grid of those of drivers: a search looks at the cells around its place alone."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: dict[UUID, tuple[Whereabouts, float]] = {}
        self._drivers: dict[UUID, Cell] = {}
        self._cells: dict[Cell, set[UUID]] = {}

    def report(self, user_id: UUID, where: Whereabouts, received_at: float, *, driver: bool) -> None:
        """Take a user's position; only those of drivers are found by `drivers_near`."""
        with self._lock:
            self._places[user_id] = (where, received_at)
            if driver:
                self._move(user_id, cell_of(GeoPoint(where.fix.latitude, where.fix.longitude)))

    def last(self, user_id: UUID) -> Position | None:
        """Return the last position of a user, however old."""
        return self.last_of([user_id]).get(user_id)

    def last_of(self, user_ids: Collection[UUID]) -> dict[UUID, Position]:
        """Return the last positions of these users, however old."""
        with self._lock:
            places = {user_id: self._places[user_id] for user_id in user_ids if user_id in self._places}
        online = presence().online(places)
        return {user_id: Position(user_id, *place, online=user_id in online) for user_id, place in places.items()}

    def drivers_near(
        self, point: GeoPoint, radius_km: float, made_after: float, most: int
    ) -> list[tuple[float, Position]]:
        """Return `(distance in km, position)` of the `most` nearest drivers within the radius, nearest first."""
        found: list[tuple[float, Position]] = []
        are_few = len(self._drivers) <= most
        for circle in [radius_km] if are_few else circles(radius_km, most, growth=2):
            found = [one for one in self._within(point, circle, made_after) if one[0] <= circle]
            if len(found) >= most:
                break
        found = sorted(found, key=lambda one: one[0])[:most]
        online = presence().online([place.user_id for _, place in found])
        return [(km, replace(place, online=place.user_id in online)) for km, place in found]

    @property
    def has_unflushed(self) -> bool:
        """Nothing waits."""
        return False

    def listen(self, wake: Callable[[], object] | None) -> None:
        """Do nothing: nothing ever waits."""

    def flush(self) -> None:
        """Do nothing: what is reported is there at once."""

    def erase(self, user_id: UUID) -> None:
        """Drop the position of one user."""
        with self._lock:
            self._drop(user_id)

    def forget(self, received_before: float) -> int:
        """Drop positions that were received before; return how many."""
        with self._lock:
            old = [user_id for user_id, (_, at) in self._places.items() if at < received_before]
            for user_id in old:
                self._drop(user_id)
            return len(old)

    def _within(self, point: GeoPoint, radius_km: float, made_after: float) -> list[tuple[float, Position]]:
        """Return the drivers of all cells that a circle touches, or of all cells if those are fewer."""
        reach = radius_km / KM_PER_DEGREE
        touched = (2 * reach / ROW_DEGREES + 1) ** 2
        with self._lock:
            around = [
                (driver, *self._places[driver])
                for cell in (self._cells if len(self._cells) < touched else cells_around(point, radius_km))
                for driver in self._cells.get(cell, ())
            ]
        return [
            (distance_km(point, place.point), place)
            for place in (
                Position(driver, where, at, online=False)
                for driver, where, at in around
                if where.at >= made_after and abs(where.fix.latitude - point.latitude) <= reach
            )
        ]

    def _move(self, driver: UUID, cell: Cell) -> None:
        left = self._drivers.get(driver)
        if left == cell:
            return
        if left is not None:
            self._leave(driver, left)
        self._drivers[driver] = cell
        self._cells.setdefault(cell, set()).add(driver)

    def _leave(self, driver: UUID, cell: Cell) -> None:
        drivers = self._cells[cell]
        drivers.discard(driver)
        if not drivers:
            del self._cells[cell]

    def _drop(self, user_id: UUID) -> None:
        self._places.pop(user_id, None)
        cell = self._drivers.pop(user_id, None)
        if cell is not None:
            self._leave(user_id, cell)
