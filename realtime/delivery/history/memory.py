"""Histories in the memory of the one process of the embedded default."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from uuid import UUID

import msgspec
from django.conf import settings

from realtime.contract.frames import numbered
from realtime.delivery.history.base import EVENT_ID_TTL, Cursor, Notification, Reading


class _Stored(msgspec.Struct, frozen=True):
    notification: Notification
    at: float


class _UserHistory:
    """One user's numbers and kept frames."""

    __slots__ = ("frames", "head", "numbers")

    def __init__(self, maximum: int, head: int) -> None:
        self.head = head
        self.frames: deque[_Stored] = deque(maxlen=maximum)
        self.numbers: OrderedDict[str, tuple[int, float]] = OrderedDict()


class MemoryHistory:
    """A dict of histories. Their epoch ends with the process."""

    def __init__(self) -> None:
        self.begin_epoch()
        self._users: dict[UUID, _UserHistory] = {}
        self._floor = 0  # the highest number of a user who was forgotten

    def begin_epoch(self) -> None:
        """Begin a new epoch: clients of another one get the state."""
        self.epoch = secrets.token_urlsafe(9)

    def append(self, user_id: UUID, event_id: str, frame_head: str) -> Notification:
        """Number and keep a frame for a user; an event that comes again keeps its number."""
        history = self._users.get(user_id)
        if history is None:
            history = self._users[user_id] = _UserHistory(settings.HISTORY_MAX, self._floor)
        known = history.numbers.get(event_id)
        if known is not None:
            return Notification(known[0], numbered(frame_head, known[0]))
        history.head += 1
        item = Notification(history.head, numbered(frame_head, history.head))
        now = time.monotonic()
        history.frames.append(_Stored(item, now))
        history.numbers[event_id] = (item.seq, now)
        return item

    async def read(self, user_id: UUID, cursor: Cursor | None = None) -> Reading:
        """Return the newest number of a user, and the notifications after `cursor`, where they are all kept."""
        history = self._users.get(user_id)
        head = history.head if history else self._floor
        missed = self._since(history, head, cursor.seq) if cursor and cursor.epoch == self.epoch else None
        return Reading(self.epoch, head, missed)

    async def heads(self, user_ids: Sequence[UUID]) -> tuple[str, list[int]]:
        """Return the epoch and the number of the newest notification of users of one shard; 0 where none is known."""
        histories = (self._users.get(user_id) for user_id in user_ids)
        return self.epoch, [history.head if history else 0 for history in histories]

    def erase(self, user_id: UUID) -> None:
        """Forget the notifications of a user; for any thread."""
        self._users.pop(user_id, None)

    def forget(self, user_id: UUID) -> None:
        """Forget the frames of a user; the numbers go on."""
        history = self._users.get(user_id)
        if history is not None:
            history.frames = deque(maxlen=history.frames.maxlen)

    def purge(self) -> None:
        """Forget frames and event ids whose time is over, and users of whom nothing else is kept."""
        now = time.monotonic()
        oldest_frame = now - settings.HISTORY_TTL.total_seconds()
        for user_id, history in list(self._users.items()):
            while history.frames and history.frames[0].at < oldest_frame:
                history.frames.popleft()
            while history.numbers and next(iter(history.numbers.values()))[1] < now - EVENT_ID_TTL:
                history.numbers.popitem(last=False)
            if not history.frames and not history.numbers:
                self._floor = max(self._floor, history.head)
                del self._users[user_id]

    @staticmethod
    def _since(history: _UserHistory | None, head: int, seq: int) -> list[Notification] | None:
        if seq > head or seq < 0:
            return None
        if seq == head:
            return []
        if history is None:
            return None
        oldest = time.monotonic() - settings.HISTORY_TTL.total_seconds()
        kept = [stored.notification for stored in history.frames if stored.at >= oldest]
        if not kept or kept[0].seq > seq + 1:
            return None
        return [item for item in kept if item.seq > seq]
