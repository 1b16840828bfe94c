import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from common.background_tasks import end
from common.threads import in_write_thread
from events import relay as relay_module
from events.buses.base import Refused
from events.buses.memory import MemoryBus
from events.models import OutboxEvent
from events.outbox import outbox_events_retry
from events.relay import Relay
from tests.events.test_outbox import Happened, emit
from tests.patience import within

pytestmark = pytest.mark.django_db(transaction=True)


class Recorder:
    """Delivers by remembering; refuses the numbers in `refused`."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.refused: set[int] = set()
        self.arrived = asyncio.Event()
        self.skipped = 0

    async def __call__(self, events: Sequence[OutboxEvent]) -> None:
        for event in events:
            if event.data["number"] in self.refused:
                raise RuntimeError("refused")
            self.numbers.append(event.data["number"])
            self.arrived.set()

    async def skip(self) -> None:
        self.skipped += 1


async def happen(*numbers: int) -> None:
    for number in numbers:
        await in_write_thread(emit, Happened(number=number))


async def outbox_of(number: int) -> OutboxEvent:
    return await in_write_thread(OutboxEvent.objects.get, data__number=number)


async def test_everything_is_handed_out_in_order_and_marked() -> None:
    recorder = Recorder()
    await happen(*range(5))
    assert await Relay(MemoryBus(recorder, recorder.skip)).drain() == 5
    assert recorder.numbers == [0, 1, 2, 3, 4]
    assert await Relay(MemoryBus(recorder, recorder.skip)).drain() == 0
    assert (await outbox_of(0)).published_at is not None


async def test_the_relay_is_woken_by_a_commit(settings: Any) -> None:
    settings.RELAY_INTERVAL = timedelta(hours=1)
    recorder = Recorder()
    task = asyncio.create_task(Relay(MemoryBus(recorder, recorder.skip)).run())
    await asyncio.sleep(0.1)
    await happen(1)
    async with within():
        await recorder.arrived.wait()
    await end(task)


async def test_what_another_process_left_is_found_anyway(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RELAY_INTERVAL = timedelta(milliseconds=20)
    recorder = Recorder()
    task = asyncio.create_task(Relay(MemoryBus(recorder, recorder.skip)).run())
    await asyncio.sleep(0.1)
    monkeypatch.setattr("events.outbox.wake_relay", lambda: None)
    await happen(1)
    async with within():
        await recorder.arrived.wait()
    await end(task)


async def test_what_is_out_of_date_is_not_handed_out() -> None:
    recorder = Recorder()
    await happen(1, 2)
    late = OutboxEvent.objects.filter(data__number=1)
    await in_write_thread(late.update, valid_until=timezone.now())
    assert await Relay(MemoryBus(recorder, recorder.skip)).drain() == 2
    assert recorder.numbers == [2]
    assert (await outbox_of(1)).published_at is not None


async def test_the_clock_of_the_database_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay whose clock is an hour fast must not drop every offer."""
    recorder = Recorder()
    await happen(1)
    valid = OutboxEvent.objects.filter(data__number=1)
    now = timezone.now()
    await in_write_thread(valid.update, valid_until=now + timedelta(minutes=1))
    monkeypatch.setattr("django.utils.timezone.now", lambda: now + timedelta(hours=1))
    assert await Relay(MemoryBus(recorder, recorder.skip)).drain() == 1
    assert recorder.numbers == [1]


async def test_an_event_that_always_fails_is_given_up_and_blocks_nobody(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RELAY_MAX_ATTEMPTS = 3
    monkeypatch.setattr(relay_module, "RETRY_DELAY", 0.01)
    recorder = Recorder()
    recorder.refused = {2}
    await happen(1, 2, 3)
    await Relay(MemoryBus(recorder, recorder.skip)).drain()
    assert list(dict.fromkeys(recorder.numbers)) == [1, 3]
    given_up = await outbox_of(2)
    assert given_up.failed_at is not None
    assert (given_up.attempts, given_up.error) == (3, "RuntimeError: refused")
    assert recorder.skipped == 1


async def test_nothing_overtakes_an_event_that_may_still_be_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "RETRY_DELAY", 0.05)
    recorder = Recorder()
    recorder.refused = {1}
    await happen(1, 2)
    task = asyncio.create_task(Relay(MemoryBus(recorder, recorder.skip)).drain())
    await asyncio.sleep(0.07)
    assert recorder.numbers == []
    recorder.refused = set()
    assert await task == 2
    assert recorder.numbers == [1, 2]


class Choosy:
    """Refuses one number for good."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.skipped: list[int] = []

    async def skip(self, event: OutboxEvent) -> None:
        assert event.failed_at is None, "who is killed in between skips it once more"
        self.skipped.append(event.data["number"])

    async def probe(self) -> None:
        raise AssertionError("nobody needs to ask")

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        if any(event.data["number"] == 2 for event in events):
            raise Refused("too large")
        self.numbers += [event.data["number"] for event in events]


async def test_what_is_refused_for_good_blocks_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is given up at once, with the reason; support may let it be tried again."""
    await happen(1, 2, 3)
    bus, counted = Choosy(), list[int]()
    assert await Relay(bus, counted.append).drain() == 3
    assert (bus.numbers, bus.skipped, sum(counted)) == ([1, 3], [2], 3)
    refused = await outbox_of(2)
    assert (refused.attempts, refused.error, refused.published_at) == (1, "too large", None)
    assert "was given up: too large" in caplog.text
    assert await in_write_thread(outbox_events_retry, ids=[refused.pk]) == 1
    assert await in_write_thread(outbox_events_retry, ids=[refused.pk]) == 0
    recorder = Recorder()
    assert await Relay(MemoryBus(recorder, recorder.skip)).drain() == 1
    assert recorder.numbers == [2]
