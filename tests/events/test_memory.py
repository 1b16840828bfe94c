from collections.abc import Sequence

from events.buses.memory import MemoryBus
from events.models import OutboxEvent


async def test_events_are_delivered_before_they_count_as_published() -> None:
    seen: list[OutboxEvent] = []

    async def handler(events: Sequence[OutboxEvent]) -> None:
        seen.extend(events)

    bus = MemoryBus(handler)
    event = OutboxEvent(data={})
    await bus.publish([event])
    await bus.publish([])
    assert seen == [event]
