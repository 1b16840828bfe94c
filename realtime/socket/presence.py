"""Who is connected, over all processes. `settings.PRESENCE_STORE` names the store in use.

The connections of a process are noted when they begin and then every `REFRESH` seconds, by the heartbeat. In Redis a
process keeps one hash, which ends `TTL` seconds after its last heartbeat: one that died leaves no ghosts. What was not
noted again for longer does not count either: Redis may have come back with an old memory.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import Any, Protocol
from uuid import UUID

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from common.redis import PREFIX, sync_redis

REFRESH = 10.0
"""Seconds after which a connection is noted again."""

TTL = 10.0
"""Seconds that a process is believed to live after its last heartbeat; at least three heartbeats."""

PROCESS = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
"""The name of this process."""


class Presence(msgspec.Struct, array_like=True):
    """A connection; times are in seconds since the epoch, `heard` being that of the last bytes from the client."""

    connection_id: UUID
    user_id: UUID
    role: str
    process: str
    address: str
    since: float
    heard: float
    noted: float

    @property
    def is_stale(self) -> bool:
        """Whether nothing had been heard for longer than `WS_READ_TIMEOUT` when it was last noted."""
        return self.noted - self.heard > settings.WS_READ_TIMEOUT.total_seconds()


def presence_of(connection_id: UUID, user_id: UUID, role: str, scope: dict[str, Any]) -> Presence:
    """Return a connection that begins now."""
    now = time.time()
    return Presence(connection_id, user_id, role, PROCESS, scope.get("address", ""), now, now, now)


def heard_at(scope: dict[str, Any], now: float) -> float:
    """Return when a client was last heard; a server that does not say ends silent connections by itself."""
    silence = scope.get("state", {}).get("silence")
    return now - silence() if silence else now


class PresenceStore(Protocol):
    """Keeps who is connected. Notes are taken at once and may be written later, by `settle`; for any thread."""

    def note(self, present: Iterable[Presence]) -> None:
        """Note, or note again, connections of this process, which lives."""

    def forget(self, connection_id: UUID) -> None:
        """Note the end of a connection."""

    def settle(self) -> None:
        """Write what was noted. When that fails it stays noted, and the error is raised."""

    def everyone(self) -> list[Presence]:
        """Return the connections of all processes."""


class MemoryPresence:
    """The connections of the one process of the embedded default."""

    def __init__(self) -> None:
        self._present: dict[UUID, Presence] = {}

    def note(self, present: Iterable[Presence]) -> None:
        """Note, or note again, connections of this process."""
        for presence in present:
            self._present[presence.connection_id] = presence

    def forget(self, connection_id: UUID) -> None:
        """Note the end of a connection."""
        self._present.pop(connection_id, None)

    def settle(self) -> None:
        """Do nothing: what is noted is there at once."""

    def everyone(self) -> list[Presence]:
        """Return all connections."""
        return list(self._present.values())


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Presence).decode
_PROCESSES = f"{PREFIX}processes"


class RedisPresence:
    """The connections of all processes."""

    def __init__(self, process: str = PROCESS) -> None:
        self._process = process
        self._lock = Lock()
        self._writing = Lock()
        self._notes: dict[UUID, bytes | None] = {}
        self._alive = False

    def note(self, present: Iterable[Presence]) -> None:
        """Note, or note again, connections of this process, which lives."""
        notes = {presence.connection_id: _encode(presence) for presence in present}
        with self._lock:
            self._notes |= notes
            self._alive = True

    def forget(self, connection_id: UUID) -> None:
        """Note the end of a connection."""
        with self._lock:
            self._notes[connection_id] = None

    def settle(self) -> None:
        """Write what was noted. When that fails it stays noted, and the error is raised."""
        with self._writing:
            with self._lock:
                notes, self._notes = self._notes, {}
                alive, self._alive = self._alive, False
            try:
                self._write(notes, alive=alive)
            except BaseException:
                with self._lock:
                    self._notes = {**notes, **self._notes}
                    self._alive = self._alive or alive
                raise

    def everyone(self) -> list[Presence]:
        """Return the connections of all processes."""
        self.settle()
        oldest = _oldest()
        processes: Any = sync_redis().zrangebyscore(_PROCESSES, oldest, "+inf")
        with sync_redis().pipeline(transaction=False) as pipeline:
            for process in processes:
                pipeline.hvals(_key(process.decode()))
            found = [_decode(value) for values in pipeline.execute() for value in values]
        return [presence for presence in found if presence.noted >= oldest]

    def _write(self, notes: dict[UUID, bytes | None], *, alive: bool) -> None:
        """Write notes in one round trip; a life sign of the process makes what it has noted last longer."""
        if not notes and not alive:
            return
        here = {str(connection_id): note for connection_id, note in notes.items() if note is not None}
        gone = [str(connection_id) for connection_id, note in notes.items() if note is None]
        key = _key(self._process)
        with sync_redis().pipeline(transaction=False) as pipeline:
            if here:
                pipeline.hset(key, mapping=here)  # type: ignore[arg-type]
            if gone:
                pipeline.hdel(key, *gone)
            pipeline.pexpire(key, int(_lifetime() * 1000))
            pipeline.zadd(_PROCESSES, {self._process: time.time()})
            pipeline.zremrangebyscore(_PROCESSES, "-inf", _oldest())
            pipeline.execute()


def _lifetime() -> float:
    return max(TTL, 3 * settings.WS_HEARTBEAT.total_seconds())


def _oldest() -> float:
    """Return the time before which nothing that counts was noted."""
    return time.time() - REFRESH - 2 * _lifetime()


def _key(process: str) -> str:
    return f"{PREFIX}presence:{process}"


@cache
def presence() -> PresenceStore:
    """Return the store of this process."""
    store: PresenceStore = import_string(settings.PRESENCE_STORE)()
    return store
