"""Positions at the pace of the client: the next one is sent when the client has received the one before.

The network and the buffers between us and a slow client hold far more than we keep, and a position that waits there
grows old. So each is followed by a ping, and until the pong comes the consumer only keeps the latest. On a good network
the pong arrives before the next position.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 5.0
"""Seconds after which a ping counts as answered all the same: some clients answer none."""

MARK = b"pace"
"""What the payload of our pings begins with."""


class Pace:
    """The pings of one connection; `ping` sends one with the given payload."""

    def __init__(self, ping: Callable[[bytes], None]) -> None:
        self._ping = ping
        self._count = 0
        self._awaited: bytes | None = None
        self._next: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def has_room(self) -> bool:
        """Whether a position may be sent."""
        return self._awaited is None

    def sent(self) -> None:
        """Note that a position was sent."""
        self.stop()
        self._count = (self._count + 1) % 2**32
        self._awaited = MARK + self._count.to_bytes(4, "big")
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._go_on)
        self._ping(self._awaited)

    def when_there_is_room(self, call: Callable[[], None]) -> None:
        """Call this, once, when the next position may be sent."""
        self._next = call

    def answered(self, payload: bytes) -> bool:
        """Note a pong; return whether it is an answer to one of our pings."""
        if payload == self._awaited:
            self._go_on()
        return payload.startswith(MARK)

    def stop(self) -> None:
        """Drop the pending call."""
        self._next = None
        if self._timer is not None:
            self._timer.cancel()

    def _go_on(self) -> None:
        self._awaited = None
        call = self._next
        self.stop()
        if call is not None:
            call()
