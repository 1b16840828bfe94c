from collections.abc import Sequence

from events.buses.memory import MemoryBus
from events.models import OutboxEvent


async def ignore() -> None:
    raise AssertionError("nothing is skipped")


async def test_events_are_delivered_before_they_count_as_published() -> None:
    seen: list[OutboxEvent] = []

    async def handler(events: Sequence[OutboxEvent]) -> None:
        seen.extend(events)

    bus = MemoryBus(handler, ignore)
    event = OutboxEvent(data={})
    await bus.publish([event])
    await bus.publish([])
    assert seen == [event]


async def test_a_skipped_event_is_made_up_for_where_it_was_for_people() -> None:
    """What only other services hear is missed by no client."""
    calls: list[str] = []

    async def handler(events: Sequence[OutboxEvent]) -> None:
        raise AssertionError

    async def skip() -> None:
        calls.append("skip")

    bus = MemoryBus(handler, skip)
    await bus.skip(OutboxEvent(data={}, audience={}))
    assert calls == []
    await bus.skip(OutboxEvent(data={}, audience={"dewi": None}))
    assert calls == ["skip"]
