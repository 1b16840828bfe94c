"""What a history must do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

import msgspec

EVENT_ID_TTL = 24 * 3600
"""Seconds for which an event that comes again gets the number it had."""


class Delivery(msgspec.Struct, frozen=True):
    """An event on its way to its audience: `data` is encoded, and so is what single recipients see instead of it.

    `at` is when it happened, in seconds since the epoch; 0 where that is not known.
    """

    event_id: str
    type: str
    data: bytes
    audience: Mapping[UUID, bytes | None]
    at: float = 0


class Notification(msgspec.Struct, frozen=True):
    """An event as one user is told it: its number and its frame."""

    seq: int
    frame: str


class Place(msgspec.Struct, frozen=True):
    """A place in the stream of a user's notifications: after number `seq` of the generation `epoch`."""

    epoch: str
    seq: int


class Reading(msgspec.Struct, frozen=True):
    """Where a user's stream stands, and what came after a place in it; `missed` is None when that is not all there."""

    epoch: str
    head: int
    missed: list[Notification] | None


class History(Protocol):
    """Numbers the notifications of each user, keeps them for a while, and sends them to the user's sockets.

    `HISTORY_MAX` notifications are kept for `HISTORY_TTL` at least. The epoch names this generation of the numbers: it
    changes when they are lost. Used from the event loop only.
    """

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Number, keep and send each event in turn; one that comes again keeps its number and is sent again."""

    async def read(self, user_id: UUID, place: Place | None = None) -> Reading:
        """Return where a user's stream stands, and the notifications after `place`, where they are all kept."""

    async def heads(self, user_ids: Sequence[UUID]) -> tuple[str, list[int]]:
        """Return the epoch and the number of each user's newest notification; 0 before the first."""

    def purge(self) -> None:
        """Forget what this process keeps beyond its time; the numbers go on."""
