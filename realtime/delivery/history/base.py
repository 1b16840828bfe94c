"""What a history must do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import msgspec

EVENT_ID_TTL = 24 * 3600
"""Seconds for which an event that comes again gets the number it had."""


class Notification(msgspec.Struct, frozen=True):
    """An event as one user is notified of it: its number and its frame."""

    seq: int
    frame: str


class Cursor(msgspec.Struct, frozen=True):
    """A place in the stream of a user's notifications: after number `seq` of the generation `epoch`."""

    epoch: str
    seq: int


class Reading(msgspec.Struct, frozen=True):
    """The newest number of a user (`head`) and what came after a cursor; `missed` is None where that is incomplete."""

    epoch: str
    head: int
    missed: list[Notification] | None


class History(Protocol):
    """The numbered notifications of each user; the channel layer adds them (`deliver_batch`).

    `HISTORY_MAX` notifications are kept for `HISTORY_TTL` at least. The epoch names this generation of the numbers: it
    changes when they are lost. Numbers of users who have had no notification for days are forgotten; theirs go on after
    the highest of those. Used from the event loop only.
    """

    async def read(self, user_id: UUID, cursor: Cursor | None = None) -> Reading:
        """Return the newest number of a user, and the notifications after `cursor`, where they are all kept."""

    async def heads(self, user_ids: Sequence[UUID]) -> tuple[str, list[int]]:
        """Return the epoch and the number of the newest notification of users of one shard; 0 where none is known."""

    def erase(self, user_id: UUID) -> None:
        """Forget the notifications that this process keeps for a user; for any thread."""

    def forget(self, user_id: UUID) -> None:
        """Forget the frames of a user: none is sent again, and the numbers go on; for any thread."""

    def purge(self) -> None:
        """Forget what this process keeps beyond its time; no number is given twice."""
