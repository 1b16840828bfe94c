"""The bus of the embedded default: the handler is called at once, in the process of the relay."""

from __future__ import annotations

from collections.abc import Sequence

from events.buses.base import Handler
from events.models import OutboxEvent


class MemoryBus:
    """Calls the handler; an event counts as published when it is delivered."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        """Deliver `events` before returning."""
        if events:
            await self._handler(events)
