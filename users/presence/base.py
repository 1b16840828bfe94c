"""The interface of a store of connections."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

import msgspec
from django.conf import settings

SHORTEST_TTL = 10.0
"""Seconds that a record lasts at least after a heartbeat: a process may pause for a few of them."""

PROCESS = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
"""The name of this process."""


class Presence(msgspec.Struct, kw_only=True):
    """A user's connection. Times are in seconds since the epoch, by the clock of its process.

    `session` is its number: larger than that of every earlier connection of the user. `heard` is when the last bytes
    came from the client, `noted` when the record was last written.
    """

    connection_id: UUID
    user_id: UUID
    role: str
    process: str = PROCESS
    address: str = ""
    session: int = 0
    since: float = msgspec.field(default_factory=time.time)
    heard: float = 0.0
    noted: float = 0.0

    def __post_init__(self) -> None:
        self.heard = self.heard or self.since
        self.noted = self.noted or self.since

    @property
    def is_stale(self) -> bool:
        """Whether nothing had been heard for longer than `WS_READ_TIMEOUT` when it was last noted."""
        return self.noted - self.heard > settings.WS_READ_TIMEOUT.total_seconds()


class PresenceStore(Protocol):
    """Keeps the newest connection of each user, and gives out the numbers that tell which is the newest.

    A record that is not noted again within `record_ttl()` seconds ends: a process that died leaves nobody connected.
    The coroutines are for the event loop, the other methods for any thread.
    """

    async def take(self, connection: Presence) -> bool:
        """Make this the user's connection; return whether there was another one, which must give way.

        Sets its `session`: max(the one before + 1, the store's clock in µs).
        """

    async def beat(self, connections: Sequence[Presence]) -> list[int]:
        """Note connections again; return for each the session of its user's newest one.

        One that is not the newest any more leaves the record alone.
        """

    async def release(self, connection: Presence) -> None:
        """End a connection; only the newest one leaves a record to remove."""

    def note(self, connections: Sequence[Presence]) -> None:
        """Note connections whose `session` is set, as `beat` does."""

    def online(self, user_ids: Collection[UUID]) -> set[UUID]:
        """Return those of these users who are connected."""

    def everyone(self) -> list[Presence]:
        """Return the connections of all users."""


def record_ttl() -> float:
    """Return for how many seconds a record lasts: three heartbeats at least."""
    return max(SHORTEST_TTL, 3 * settings.WS_HEARTBEAT.total_seconds())
