"""The notifications of each user, numbered without gaps, for as long as a phone may have lost its network."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from functools import cache
from uuid import UUID

import msgspec
from django.conf import settings

from realtime.protocol import notification

EVENT_ID_TTL = 24 * 3600
"""Seconds for which an event that comes again gets the number it had."""


class Notification(msgspec.Struct, frozen=True):
    """An event as one user is told it: its number and its encoded frame."""

    seq: int
    frame: bytes


class _Stored(msgspec.Struct, frozen=True):
    notification: Notification
    at: float


class _UserHistory:
    """One user's numbers and kept frames."""

    __slots__ = ("frames", "head", "numbers")

    def __init__(self, maximum: int) -> None:
        self.head = 0
        self.frames: deque[_Stored] = deque(maxlen=maximum)
        self.numbers: OrderedDict[str, tuple[int, float]] = OrderedDict()


class MemoryHistory:
    """Histories in the memory of the one process of the embedded default.

    `epoch` names this generation of the numbers: it changes when they are lost, which here is a restart. Used from the
    event loop only.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_urlsafe(9)
        self._users: dict[UUID, _UserHistory] = {}

    async def append(self, user_id: UUID, event_id: str, frame_type: str, data: bytes) -> Notification:
        """Number an event for a user, keep it, and return it; the same event again gets the same number."""
        history = self._users.get(user_id)
        if history is None:
            history = self._users[user_id] = _UserHistory(settings.HISTORY_MAX)
        known = history.numbers.get(event_id)
        if known is not None:
            return Notification(known[0], notification(frame_type, data, known[0]))
        history.head += 1
        item = Notification(history.head, notification(frame_type, data, history.head))
        now = time.monotonic()
        history.frames.append(_Stored(item, now))
        history.numbers[event_id] = (item.seq, now)
        return item

    async def head(self, user_id: UUID) -> int:
        """Return the number of a user's newest notification; 0 before the first."""
        return self.head_now(user_id)

    def head_now(self, user_id: UUID) -> int:
        """Return the number of a user's newest notification without waiting."""
        history = self._users.get(user_id)
        return history.head if history else 0

    async def since(self, user_id: UUID, seq: int) -> list[Notification] | None:
        """Return the notifications after number `seq`, or None when not all of them are there (any more)."""
        history = self._users.get(user_id)
        head = history.head if history else 0
        if seq > head or seq < 0:
            return None
        if history is None or seq == head:
            return []
        oldest = time.monotonic() - settings.HISTORY_TTL.total_seconds()
        kept = [stored.notification for stored in history.frames if stored.at >= oldest]
        if not kept or kept[0].seq > seq + 1:
            return None
        return [item for item in kept if item.seq > seq]

    def purge(self) -> None:
        """Forget frames and event ids whose time is over; the numbers go on."""
        now = time.monotonic()
        oldest_frame = now - settings.HISTORY_TTL.total_seconds()
        for history in self._users.values():
            while history.frames and history.frames[0].at < oldest_frame:
                history.frames.popleft()
            while history.numbers and next(iter(history.numbers.values()))[1] < now - EVENT_ID_TTL:
                history.numbers.popitem(last=False)


@cache
def history() -> MemoryHistory:
    """Return the history of this process."""
    return MemoryHistory()
