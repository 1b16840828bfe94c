"""Histories in the memory of the one process of the embedded default."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from uuid import UUID

import msgspec
from channels.layers import get_channel_layer
from django.conf import settings

from realtime.contract.frames import notification_head, numbered
from realtime.delivery.history.base import EVENT_ID_TTL, Delivery, Notification, Place, Reading
from realtime.delivery.layer_messages import DELIVER, group_of


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
    """A dict of histories. Their epoch ends with the process."""

    def __init__(self) -> None:
        self.epoch = secrets.token_urlsafe(9)
        self._users: dict[UUID, _UserHistory] = {}

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Number, keep and send each event in turn; one that comes again keeps its number and is sent again."""
        layer = get_channel_layer()
        for delivery in deliveries:
            common = notification_head(delivery.type, delivery.data)
            for user_id, view in delivery.audience.items():
                head = common if view is None else notification_head(delivery.type, view)
                item = self._append(user_id, delivery.event_id, head)
                message = {
                    "type": DELIVER,
                    "epoch": self.epoch,
                    "seq": item.seq,
                    "event": delivery.type,
                    "frame": item.frame,
                    "at": delivery.at,
                }
                await layer.group_send(group_of(user_id), message)

    async def read(self, user_id: UUID, place: Place | None = None) -> Reading:
        """Return where a user's stream stands, and the notifications after `place`, where they are all kept."""
        history = self._users.get(user_id)
        head = history.head if history else 0
        missed = self._since(history, head, place.seq) if place and place.epoch == self.epoch else None
        return Reading(self.epoch, head, missed)

    async def heads(self, user_ids: Sequence[UUID]) -> tuple[str, list[int]]:
        """Return the epoch and the number of each user's newest notification; 0 before the first."""
        histories = (self._users.get(user_id) for user_id in user_ids)
        return self.epoch, [history.head if history else 0 for history in histories]

    def purge(self) -> None:
        """Forget frames and event ids whose time is over; the numbers go on."""
        now = time.monotonic()
        oldest_frame = now - settings.HISTORY_TTL.total_seconds()
        for history in self._users.values():
            while history.frames and history.frames[0].at < oldest_frame:
                history.frames.popleft()
            while history.numbers and next(iter(history.numbers.values()))[1] < now - EVENT_ID_TTL:
                history.numbers.popitem(last=False)

    def _append(self, user_id: UUID, event_id: str, frame_head: str) -> Notification:
        history = self._users.get(user_id)
        if history is None:
            history = self._users[user_id] = _UserHistory(settings.HISTORY_MAX)
        known = history.numbers.get(event_id)
        if known is not None:
            return Notification(known[0], numbered(frame_head, known[0]))
        history.head += 1
        item = Notification(history.head, numbered(frame_head, history.head))
        now = time.monotonic()
        history.frames.append(_Stored(item, now))
        history.numbers[event_id] = (item.seq, now)
        return item

    @staticmethod
    def _since(history: _UserHistory | None, head: int, seq: int) -> list[Notification] | None:
        if seq > head or seq < 0:
            return None
        if history is None or seq == head:
            return []
        oldest = time.monotonic() - settings.HISTORY_TTL.total_seconds()
        kept = [stored.notification for stored in history.frames if stored.at >= oldest]
        if not kept or kept[0].seq > seq + 1:
            return None
        return [item for item in kept if item.seq > seq]
