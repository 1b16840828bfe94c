"""Receipts: what a client says has reached its device (`received {seq}`).

A connection remembers what it has forwarded and was not confirmed yet. What is confirmed is measured at once
(`nebengjek_receipt_seconds`) and written by the process for all its users together, at most once a second.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec
from django.conf import settings

from common.process import process
from common.threads import in_write_thread
from common.unavailable import unavailable
from realtime import metrics
from realtime.socket.nats_publisher import link
from rides.services.receipts import OFFER, Confirmed, Receipt, receipts_record

SUBJECT = "received"
"""Core NATS: a device has confirmed; a push service need not wake it."""

REMEMBERED = 64
"""Notifications that one connection remembers. A client that has let so many pass never confirms: an older app."""

FLUSH_INTERVAL = 1.0
"""Seconds between two writes, less where offers are hedged sooner."""


class _Forwarded(msgspec.Struct, frozen=True):
    """A notification on its way to the device; `at` is when it happened (epoch seconds), 0 where that is not known."""

    seq: int
    at: float
    frame: str


class _Ride(msgspec.Struct, frozen=True):
    ride_id: UUID


class _Data(msgspec.Struct, frozen=True):
    """The fields by which a receipt names a notification."""

    ride_id: UUID | None = None
    match_id: UUID | None = None
    ride: _Ride | None = None
    match_status: str = ""
    status: str = ""

    @property
    def key(self) -> UUID | None:
        """The key of the event."""
        return self.ride_id or (self.ride.ride_id if self.ride else self.match_id)


class _Frame(msgspec.Struct, frozen=True):
    type: str
    data: _Data


_decode = msgspec.json.Decoder(_Frame, strict=False).decode


class ReceiptTracker:
    """What one connection has forwarded and its client has not confirmed yet."""

    __slots__ = ("_confirms", "_shown", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[_Forwarded] = []  # an empty deque takes 0.6 kB
        self._shown: tuple[int, list[UUID]] = (0, [])
        self._confirms: bool | None = None

    def state_sent(self, seq: int, match_ids: Iterable[UUID]) -> None:
        """Note that the client was sent its whole state, with these offers, as of number `seq`."""
        self._shown = (seq, list(match_ids))

    def forwarded(self, seq: int, at: float, frame: str) -> None:
        """Note that a notification was forwarded."""
        if self._confirms is False:
            return
        if self._confirms is None and len(self._waiting) == REMEMBERED:
            self._confirms = False
            self._waiting.clear()
            return
        del self._waiting[: 1 - REMEMBERED]
        self._waiting.append(_Forwarded(seq, at, frame))

    def confirm(self, seq: int, now: datetime) -> Receipt:
        """Take the client's word that everything up to `seq` has arrived; what was not forwarded is left out."""
        self._confirms = True
        confirmed = self._take_shown(seq)
        while self._waiting and self._waiting[0].seq <= seq:
            one = self._waiting.pop(0)
            metrics.received(one.at)
            confirmed += _named(one.frame)
        return Receipt(seq, now, confirmed)

    def _take_shown(self, seq: int) -> list[Confirmed]:
        shown_at, match_ids = self._shown
        if seq < shown_at:
            return []
        self._shown = (0, [])
        return [Confirmed(OFFER, match_id, "PENDING") for match_id in match_ids]


def _named(frame: str) -> list[Confirmed]:
    """Return what a frame notifies of, where it is about a match or a ride."""
    try:
        read = _decode(frame)
    except msgspec.MsgspecError:  # another service's notification may have any ids
        return []
    key = read.data.key
    return [Confirmed(read.type, key, read.data.match_status or read.data.status)] if key else []


class ReceiptBuffer:
    """Receipts that are not in the database yet, by user; used from one event loop."""

    def __init__(self) -> None:
        self._waiting: defaultdict[UUID, list[Receipt]] = defaultdict(list)
        self._lock = asyncio.Lock()  # held while receipts are neither here nor in the database

    def add(self, user_id: UUID, receipt: Receipt) -> None:
        """Take a user's receipt."""
        self._waiting[user_id].append(receipt)

    async def flush(self) -> None:
        """Write what was collected, and publish it. While the database is away it is kept and the error is raised."""
        async with self._lock:
            taken, self._waiting = self._waiting, defaultdict(list)
            if not taken:
                return
            try:
                await in_write_thread(receipts_record, receipts=taken)
            except unavailable():
                for user_id, receipts in taken.items():
                    self._waiting[user_id][:0] = receipts
                raise
        for user_id, receipts in taken.items():
            await link().publish(SUBJECT, _published(user_id, receipts))


def _published(user_id: UUID, receipts: list[Receipt]) -> dict[str, object]:
    last = max(receipts, key=lambda receipt: receipt.received_at)
    return {"user_id": user_id, "seq": last.seq, "timestamp": last.received_at}


def receipt_buffer() -> ReceiptBuffer:
    """Return the buffer of this process."""
    return process.one(ReceiptBuffer, ReceiptBuffer)


def flush_interval() -> float:
    """Return the seconds between two writes: well within the time after which an offer is hedged."""
    return min(FLUSH_INTERVAL, settings.OFFER_RECEIPT_TIMEOUT.total_seconds() / 3)
