"""What a bus must do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from events.models import OutboxEvent

Handler = Callable[[Sequence[OutboxEvent]], Awaitable[None]]
"""Delivers a batch of events; after an exception any of them may be undelivered."""


Skipper = Callable[[], Awaitable[None]]
"""Begins a new epoch, so that all clients get the state instead of what is missing."""


class BusUnavailable(Exception):
    """The bus is unavailable: no fault of the events, which wait."""


class Refused(Exception):
    """The bus will never take this event, and says why."""


class Bus(Protocol):
    """Carries events from the relay to a handler, in order, at least once."""

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        """Return when all of `events` are safe with the bus; raise when any may not be.

        Raises `BusUnavailable` when that has nothing to do with the events, and `Refused` when it always will.
        """

    async def probe(self) -> None:
        """Return when the bus would take an event now; raises `BusUnavailable` where it would not."""

    async def skip(self, event: OutboxEvent) -> None:
        """Let the recipients of an event know that they will not get it. Doing so again is harmless."""
