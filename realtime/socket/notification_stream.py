"""The numbered notifications on one connection: each once and in order, or the whole state instead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from common import clock
from common.threads import in_read_thread
from common.tracing import tracing
from realtime import metrics
from realtime.contract.frames import type_of
from realtime.delivery.history import Cursor, Notification, history
from realtime.socket.receipts import ReceiptTracker, receipt_buffer
from realtime.socket.session_ready import parse_resume, read_state, ready_frame
from rides.events import RESETS_POSITIONS
from rides.selectors import CurrentRide
from users.tokens import Claims

Frame = dict[str, Any]
SendFrame = Callable[[str, str], Awaitable[None]]
"""Sends an encoded frame; the second argument is its type."""

SendJson = Callable[[Frame], Awaitable[None]]
"""Encodes and sends a frame."""


class NotificationStream:
    """Where one connection is in the stream of its user: after number `forwarded` of the generation `epoch`.

    The channel layer may lose or repeat messages. What is missing is read from the history; what the history has not
    either is replaced by the state. `reset_positions` is called before an event that makes older positions worthless,
    `use_ride` with the ride of each state that is sent.
    """

    def __init__(
        self,
        connection_id: UUID,
        claims: Claims,
        send_frame: SendFrame,
        send_json: SendJson,
        *,
        reset_positions: Callable[[], None],
        use_ride: Callable[[CurrentRide | None], None],
    ) -> None:
        self.claims = claims
        self.epoch, self.forwarded = "", 0
        self.turn = asyncio.Lock()  # held while notifications may not be forwarded
        self._connection_id = connection_id
        self._send_frame, self._send_json = send_frame, send_json
        self._reset_positions, self._use_ride = reset_positions, use_ride
        self._receipts = ReceiptTracker()

    async def begin(self, query_string: bytes) -> None:
        """Send `session_ready`, and the missed notifications to a client that resumes (`?resume=<epoch>:<seq>`)."""
        resume = parse_resume(query_string)
        reading = await history().read(self.claims.user_id, resume)
        recovered = resume is not None and reading.missed is not None
        seq = resume.seq if resume and recovered else reading.head
        await self._send_ready(reading.epoch, seq, recovered=recovered)
        for item in reading.missed or ():
            await self._forward(item)

    async def sync(self) -> None:
        """Send `session_ready` with the state of this moment, without moving in the stream."""
        async with self.turn:
            await self._send_ready(self.epoch, self.forwarded, recovered=True)

    async def deliver(self, message: dict[str, Any]) -> None:
        """Forward the notification of a layer message, and before it any that the layer lost."""
        if message["epoch"] != self.epoch or message["seq"] > self.forwarded + 1:
            await self.catch_up()
        elif message["seq"] == self.forwarded + 1:
            if message["event"] in RESETS_POSITIONS:
                self._reset_positions()
            self.forwarded = message["seq"]
            at = message.get("at", 0)
            self._receipts.forwarded(self.forwarded, at, message["frame"])
            if tracing.is_on:
                with tracing.follow(message.get("trace", ""), "socket", message["event"], seq=self.forwarded):
                    await self._send_frame(message["frame"], message["event"])
            else:
                await self._send_frame(message["frame"], message["event"])
            metrics.delivered(at)

    async def check(self, message: dict[str, Any]) -> None:
        """Forward what the channel layer lost at the end of the stream; what was only on its way has come by now."""
        if self.is_behind(message["epoch"], message["head"]):
            await self.catch_up()

    async def catch_up(self) -> None:
        """Forward what the history has and the channel layer did not bring; without it, send the whole state."""
        reading = await history().read(self.claims.user_id, Cursor(self.epoch, self.forwarded))
        self._reset_positions()
        if reading.missed != []:
            metrics.refilled(by_state=reading.missed is None)
        if reading.missed is None:
            await self._send_ready(reading.epoch, reading.head, recovered=False)
        for item in reading.missed or ():
            await self._forward(item)

    def confirm(self, seq: int) -> None:
        """Take the client's word that everything up to `seq` has reached its device."""
        receipt = self._receipts.confirm(seq, clock.now())
        receipt_buffer().add(self.claims.user_id, receipt)

    def is_behind(self, epoch: str, head: int) -> bool:
        """Whether the user's stream, which ends at this place, has something that was not forwarded."""
        return bool(self.epoch) and (self.epoch != epoch or self.forwarded < head)

    async def _forward(self, item: Notification) -> None:
        self.forwarded = item.seq
        self._receipts.forwarded(item.seq, 0, item.frame)
        await self._send_frame(item.frame, type_of(item.frame))

    async def _send_ready(self, epoch: str, seq: int, *, recovered: bool) -> None:
        """Send the state, and go on from this place in the stream."""
        state, ride = await in_read_thread(read_state, self.claims)
        self._use_ride(ride)
        frame = ready_frame(self.claims, self._connection_id, epoch, seq, recovered=recovered, state=state)
        await self._send_json(frame)
        self.epoch, self.forwarded = epoch, seq
        self._receipts.state_sent(seq, [proposal.match_id for proposal in state.proposals])
