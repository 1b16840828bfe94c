"""What a position store must do."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from typing import Protocol
from uuid import UUID

import msgspec

from rides.geo import GeoPoint
from rides.metering.fixes import Fix
from rides.metering.sightings import Sighting
from rides.metering.whereabouts import Whereabouts


class Position(msgspec.Struct, frozen=True):
    """The last plausible place of a user; times are the server's clock, in seconds since the epoch.

    `received_at` is when anything was heard of the phone last, `made_at` when it was at the place.
    """

    user_id: UUID
    where: Whereabouts
    received_at: float
    online: bool

    @property
    def point(self) -> GeoPoint:
        """The place that is shown."""
        return GeoPoint(self.where.fix.latitude, self.where.fix.longitude)

    @property
    def made_at(self) -> float:
        """When the phone was there."""
        return self.where.at


def reported_at(point: GeoPoint, received_at: float) -> Whereabouts:
    """Return a place of which nothing else is known."""
    fix = Fix(point.latitude, point.longitude, received_at)
    return Whereabouts(fix, received_at, Sighting(fix, received_at))


FIRST_CIRCLE_KM = 0.15
"""Searches for twenty look in a circle of this radius first, then in larger ones, not at a whole city."""


def circles(radius_km: float, most: int, growth: float) -> Iterator[float]:
    """Yield growing radii, of which the first suits a search for so many; the last one is `radius_km`."""
    circle = FIRST_CIRCLE_KM * math.sqrt(most / 20)
    while circle < radius_km:
        yield circle
        circle *= growth
    yield radius_km


class PositionStore(Protocol):
    """Keeps the last position of each user. Its methods may be called from any thread."""

    def report(self, user_id: UUID, where: Whereabouts, received_at: float, *, driver: bool) -> None:
        """Take a user's position; only those of drivers are found by `drivers_near`."""

    def last(self, user_id: UUID) -> Position | None:
        """Return the last position of a user, however old."""

    def last_of(self, user_ids: Collection[UUID]) -> dict[UUID, Position]:
        """Return the last positions of these users, however old; who has none is left out."""

    def drivers_near(
        self, point: GeoPoint, radius_km: float, made_after: float, most: int
    ) -> list[tuple[float, Position]]:
        """Return `(distance in km, position)` of the `most` nearest drivers within the radius, nearest first.

        Positions made before `made_after` are left out; there are fewer only where there are no more.
        """

    @property
    def has_unflushed(self) -> bool:
        """Whether `flush` has something to do."""

    def listen(self, wake: Callable[[], object] | None) -> None:
        """Call `wake`, from any thread, whenever `flush` gets something to do; None: no more."""

    def flush(self) -> None:
        """Let other processes see what was reported here."""

    def erase(self, user_id: UUID) -> None:
        """Drop the position of one user."""

    def forget(self, received_before: float) -> int:
        """Drop positions of phones that were not heard of since then; return how many."""
