"""What a position store must do."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol
from uuid import UUID

import msgspec

from rides.geo import GeoPoint


class Position(msgspec.Struct, frozen=True):
    """The last place a user reported; `received_at` is the server's clock, in seconds since the epoch."""

    user_id: UUID
    point: GeoPoint
    received_at: float
    online: bool


class PositionStore(Protocol):
    """Keeps the last position of each user. Its methods may be called from any thread."""

    def report(self, user_id: UUID, point: GeoPoint, received_at: float, *, driver: bool) -> None:
        """Take a user's position; only those of drivers are found by `drivers_near`."""

    def last(self, user_id: UUID) -> Position | None:
        """Return the last position of a user, however old."""

    def last_of(self, user_ids: Collection[UUID]) -> dict[UUID, Position]:
        """Return the last positions of these users, however old; who has none is left out."""

    def drivers_near(self, point: GeoPoint, radius_km: float, received_after: float) -> list[tuple[float, Position]]:
        """Return `(distance in km, position)` of the drivers within the radius, nearest first.

        Positions received before `received_after` are left out.
        """

    def flush(self) -> None:
        """Let other processes see what was reported here."""

    def erase(self, user_id: UUID) -> None:
        """Drop the position of one user."""

    def forget(self, received_before: float) -> int:
        """Drop positions that were received before; return how many."""
