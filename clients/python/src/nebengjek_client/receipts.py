"""Tells the server what has reached this device: `received`, cumulative, without an answer."""

from __future__ import annotations

import asyncio
import contextlib
from typing import NoReturn

from nebengjek_client.connection import Connection
from nebengjek_client.frames import encode

RECEIPT_DELAY = 0.5
"""Seconds from a notification to its receipt; those that come meanwhile are confirmed with it."""

AT_ONCE = frozenset({"match_proposal"})
"""Types that are confirmed at once: the server asks another driver beside a phone that seems dead."""


class Receipts:
    """The highest `seq` that has come on one connection, and the highest one that was confirmed."""

    def __init__(self) -> None:
        self._seq = self._confirmed = 0
        self._news, self._urgent = asyncio.Event(), asyncio.Event()

    def note(self, seq: int, kind: str) -> None:
        """Note a notification."""
        self._seq = seq
        self._news.set()
        if kind in AT_ONCE:
            self._urgent.set()

    def note_state(self, seq: int, *, with_offers: bool) -> None:
        """Note a whole state as of a number, and whether offers in it may be new here.

        A smaller number than before is that of another history.
        """
        if with_offers:
            self._confirmed = -1  # they may be new also where the number is not
        elif seq < self._seq:
            self._confirmed = 0
        self._seq = seq
        if seq > self._confirmed:
            self._news.set()
        if with_offers:
            self._urgent.set()

    async def confirm_all(self, connection: Connection) -> NoReturn:
        """Confirm what comes, for ever. Raises `ConnectionLost`."""
        while True:
            await self._news.wait()
            await self._wait_for_more()
            self._news.clear()
            self._urgent.clear()
            if self._seq > self._confirmed:
                self._confirmed = self._seq
                await connection.send(encode("received", {"seq": self._seq}))

    async def _wait_for_more(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECEIPT_DELAY):
                await self._urgent.wait()
