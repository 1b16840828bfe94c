"""Who gets a connection: bounds in all and by address, so that slow clients keep nobody out.

A connection is *unknown* until a person is known by a token. It *waits* while its client owes the server something: the
head of a request, its body, or the next request. A slow client costs a file descriptor and nothing else, so descriptors
are what runs out. Where a bound is met, the connection that has waited longest makes room for the new one.
"""

from __future__ import annotations

import logging
import resource
import time
from collections import Counter
from typing import Protocol

from django.conf import settings
from uvicorn.server import ServerState

from common.addresses import is_trusted_proxy, network_of
from common.descriptors import allowed, needed
from realtime import metrics

logger = logging.getLogger(__name__)

RESERVE = 2304
"""File descriptors kept for databases, Redis, NATS, files, and connections that the system accepts all at once."""

BACKLOG, LEAST_BACKLOG = 2048, 4
"""Connections that the system may have accepted and the server has not yet seen."""

LOG_INTERVAL = 60.0
"""Seconds between two warnings that connections are refused."""


class Connection(Protocol):
    """What `Admission` needs of a connection; hashable by identity."""

    address: str | None
    """Where it comes from; None where all come from one place, such as a trusted proxy."""

    def evict(self) -> None:
        """Close it at once, in favour of another."""


class Admission:
    """The connections of one server; used from the event loop only."""

    def __init__(self, most: int, most_unknown: int) -> None:
        self._most = most
        self._most_unknown = most_unknown
        self._all: set[Connection] = set()
        self._unknown: Counter[str] = Counter()
        self._waiting: dict[Connection, None] = {}  # ordered: who has waited longest comes first
        self._waiting_from: dict[str, dict[Connection, None]] = {}
        self._logged_at = -LOG_INTERVAL

    def enter(self, connection: Connection) -> bool:
        """Take in a connection, and count it as unknown; return False where there is no room for it."""
        address = connection.address
        if address is not None and not self._has_room_for(address):
            return self._refuse(f"{self._most_unknown} unknown connections from {address}")
        if len(self._all) >= self._most and not self._make_room(self._waiting):
            return self._refuse(f"{self._most} connections in all")
        self._all.add(connection)
        if address is not None:
            self._unknown[address] += 1
        return True

    def wait(self, connection: Connection) -> None:
        """Note that the client has to do something now."""
        if connection in self._all:
            self._waiting[connection] = None
            if connection.address is not None:
                self._waiting_from.setdefault(connection.address, {})[connection] = None

    def work(self, connection: Connection) -> None:
        """Note that the server has to do something now."""
        self._waiting.pop(connection, None)
        if connection.address is not None and connection.address in self._waiting_from:
            self._waiting_from[connection.address].pop(connection, None)
            if not self._waiting_from[connection.address]:
                del self._waiting_from[connection.address]

    def know(self, connection: Connection) -> None:
        """Note that it is a person's: it counts by its address no more, and makes room for nobody."""
        self.work(connection)
        if connection.address is not None and connection in self._all:
            self._unknown[connection.address] -= 1
            if not self._unknown[connection.address]:
                del self._unknown[connection.address]
            connection.address = None

    def leave(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        if connection in self._all:
            self.know(connection)
            self._all.remove(connection)

    def _has_room_for(self, address: str) -> bool:
        if not self._most_unknown or self._unknown[address] < self._most_unknown:
            return True
        return self._make_room(self._waiting_from.get(address, {}))

    def _make_room(self, waiting: dict[Connection, None]) -> bool:
        for connection in waiting:
            metrics.limited("connection")
            self.leave(connection)
            connection.evict()
            return True
        return False

    def _refuse(self, bound: str) -> bool:
        metrics.limited("connection")
        if time.monotonic() - self._logged_at >= LOG_INTERVAL:
            self._logged_at = time.monotonic()
            logger.warning("Refusing connections: there are %s, and none of them can be closed.", bound)
        return False


class State(ServerState):
    """What the connections of one server share."""

    def __init__(self) -> None:
        super().__init__()
        most = most_connections()
        self.admission = Admission(most, min(settings.MAX_UNKNOWN_PER_ADDRESS, most // 2))


def address_of_peer(client: tuple[str, int] | None) -> str | None:
    """Return what connections of a peer are counted by; None for a trusted proxy, and where there is no address."""
    if client is None or is_trusted_proxy(client[0]):
        return None
    return network_of(client[0])


def raise_descriptor_limit() -> None:
    """Allow this process as many file descriptors as the system lets it have, as servers in Go do by themselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS says "unlimited" and means less
        logger.info("The limit of file descriptors stays at %d.", soft)


def most_connections() -> int:
    """Return how many connections may be open at once: `MAX_CONNECTIONS`, or fewer where descriptors are short."""
    return min(settings.MAX_CONNECTIONS, max(1, allowed() - _reserve()))


def backlog() -> int:
    """Return how many connections may wait to be accepted: each costs a descriptor when they all are, at once."""
    return max(1, min(BACKLOG, _reserve() - needed()))


def _reserve() -> int:
    """Return how many file descriptors are kept for other things than connections that were let in."""
    return max(needed() + LEAST_BACKLOG, min(RESERVE, allowed() // 3))
