"""The connection of a server process to NATS, which only publishes.

Nothing waits for it. It publishes hints (something was committed) and positions, which are ephemeral: while NATS is
away they are dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from common.process import process
from common.retrying import Errors
from events import wakeups
from events.stream import OUTBOX_SUBJECT
from realtime.contract.frames import encode

if TYPE_CHECKING:
    from nats.aio.client import Client

LOCATION_SUBJECT = "location.update"


class Link:
    """Publishes to core NATS; does nothing where there is no `NATS_URL`."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._nudging: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether NATS can be reached at this moment."""
        return self._client is not None and self._client.is_connected

    async def run(self, name: str = "web") -> None:
        """Be connected until cancelled, and wake the relay after each commit of this process."""
        from common.nats import connect_to_nats  # with the client of NATS: not in a process that stands alone

        self._loop = asyncio.get_running_loop()
        self._client = await connect_to_nats(name)
        wakeups.listen(self._wake)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            wakeups.ignore(self._wake)
            client, self._client = self._client, None
            await client.close()

    async def publish(self, subject: str, data: dict[str, Any]) -> None:
        """Publish for other services, if NATS can be reached."""
        if self._client is not None and self._client.is_connected:
            with contextlib.suppress(*_nats_away()):
                await self._client.publish(subject, encode(data))

    def _wake(self) -> None:
        """Wake the relay after a commit; called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._announce)

    def _announce(self) -> None:
        if self._nudging is None or self._nudging.done():
            self._nudging = asyncio.ensure_future(self._say_committed())

    async def _say_committed(self) -> None:
        if self._client is not None and self._client.is_connected:
            with contextlib.suppress(*_nats_away()):
                await self._client.publish(OUTBOX_SUBJECT)


def _nats_away() -> Errors:
    from common.nats import AWAY  # loaded by now, since there is a connection

    return AWAY


def link() -> Link:
    """Return the link of this process."""
    return process.one(Link, Link)
