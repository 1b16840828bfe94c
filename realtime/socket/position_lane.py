"""The other party's position on its way to one client: only the latest, at the pace at which the client takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from realtime.contract.messages import LocationRelayed
from realtime.socket.position_pacing import Pace


class PositionLane:
    """Keeps one encoded position that is not sent yet. Other servers than `serve` give no `pace`."""

    def __init__(self, pace: Pace | None, send: Callable[[str, str], Awaitable[None]]) -> None:
        self._pace = pace
        self._send = send
        self._latest: str | None = None
        self._sending: asyncio.Task[None] | None = None

    async def relay(self, message: dict[str, Any]) -> None:
        """Send the position of a layer message now, or when the client has taken the one before.

        Until then a newer one takes its place.
        """
        self._latest = message["frame"]
        await self._send_latest()

    def clear(self) -> None:
        """Drop the position that waits."""
        self._latest = None

    def stop(self) -> None:
        """Send nothing any more."""
        if self._sending is not None:
            self._sending.cancel()

    async def _send_latest(self) -> None:
        if self._pace is not None and not self._pace.has_room():
            self._pace.when_there_is_room(self._send_soon)
        elif self._latest is not None:
            frame, self._latest = self._latest, None
            await self._send(frame, LocationRelayed.type)
            if self._pace is not None:
                self._pace.sent()

    def _send_soon(self) -> None:
        self._sending = asyncio.create_task(self._send_latest())
