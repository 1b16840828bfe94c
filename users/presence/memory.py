"""The connections of the one process of the embedded default."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from threading import Lock
from uuid import UUID

from users.presence.base import Presence


class MemoryPresence:
    """A dict of records. They end with their connections: there is no process that could die and leave them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._newest: dict[UUID, Presence] = {}

    async def take(self, connection: Presence) -> bool:
        """Make this the user's connection, and set its `session`; return whether there was another one."""
        with self._lock:
            before = self._newest.get(connection.user_id)
            connection.session = max((before.session if before else 0) + 1, time.time_ns() // 1000)
            self._newest[connection.user_id] = connection
        return before is not None

    async def beat(self, connections: Sequence[Presence]) -> list[int]:
        """Note connections again; return for each the session of its user's newest one."""
        self.note(connections)
        return [self._newest[connection.user_id].session for connection in connections]

    async def release(self, connection: Presence) -> None:
        """End a connection; only the newest one leaves a record to remove."""
        with self._lock:
            newest = self._newest.get(connection.user_id)
            if newest is not None and newest.session == connection.session:
                del self._newest[connection.user_id]

    def note(self, connections: Sequence[Presence]) -> None:
        """Note connections whose `session` is set."""
        with self._lock:
            for connection in connections:
                newest = self._newest.get(connection.user_id)
                if newest is None or newest.session <= connection.session:
                    self._newest[connection.user_id] = connection

    def online(self, user_ids: Collection[UUID]) -> set[UUID]:
        """Return those of these users who are connected."""
        with self._lock:
            return {user_id for user_id in user_ids if user_id in self._newest}

    def everyone(self) -> list[Presence]:
        """Return the connections of all users."""
        with self._lock:
            return list(self._newest.values())
