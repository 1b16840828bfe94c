"""The relay while its bus cannot be reached: everything waits, and nothing is held against an event."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from nats.aio.client import Client

from common.background_tasks import end
from common.nats import connect_to_nats
from common.threads import in_read_thread, in_write_thread
from devservers.servers import NatsServer
from events import relay as relay_module
from events.buses.base import BusUnavailable
from events.buses.jetstream import JetStreamBus
from events.models import OutboxEvent
from events.relay import Relay
from events.stream import STREAM, ensure_stream
from tests.events.test_relay import happen, outbox_of
from tests.nats_faults import write_nats_config
from tests.patience import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _short_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "RETRY_DELAY", 0.01)


async def deliver(_events: Sequence[OutboxEvent]) -> None:
    raise AssertionError("everything here is in the stream")


async def skip() -> None:
    raise AssertionError("nothing here is given up")


async def delivered(sequence: int) -> None:
    raise AssertionError(f"nobody needs to wait for {sequence}")


async def test_while_nats_is_away_events_wait_and_no_attempt_is_counted(
    nats_client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await happen(*range(5))
    await in_write_thread(OutboxEvent.objects.update, subject="match.found")
    bus, tries = JetStreamBus(nats_client, deliver, skip, delivered, newest=0), list[int]()
    publish = bus.publish

    async def counted(events: Sequence[OutboxEvent]) -> None:
        tries.append(len(events))
        await publish(events)

    monkeypatch.setattr(bus, "publish", counted)
    relay = Relay(bus)
    draining = asyncio.create_task(relay.drain())
    assert relay.trouble == ""
    await until(lambda: len(tries) >= 10)
    assert relay.trouble.startswith("NATS: ")
    assert caplog.text.count("5 events are waiting: NATS: ") == 1
    assert not await in_read_thread(OutboxEvent.objects.filter(published_at__isnull=False).exists)
    await ensure_stream(nats_client.jetstream())
    assert await draining == 5
    assert relay.trouble == ""
    rows = await in_read_thread(lambda: list(OutboxEvent.objects.order_by("id")))
    assert [(row.attempts, row.failed_at, row.error) for row in rows] == [(0, None, "")] * 5
    assert all(row.published_at for row in rows)
    assert (await nats_client.jetstream().stream_info(STREAM)).state.messages == 5


class FaultyBus:
    """Takes no batch because of one event; then cannot be reached for a while, event by event."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.away = 20

    async def skip(self, event: OutboxEvent) -> None:
        raise AssertionError("nothing here is given up")

    async def probe(self) -> None:
        """Return."""

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        if len(events) > 1:
            raise RuntimeError("one of them")
        for event in events:
            if event.data["number"] == 2 and self.away:
                self.away -= 1
                raise BusUnavailable("away")
            self.numbers.append(event.data["number"])


async def test_also_an_event_that_is_tried_by_itself_waits_for_the_bus(caplog: pytest.LogCaptureFixture) -> None:
    await happen(1, 2, 3)
    bus = FaultyBus()
    assert await Relay(bus).drain() == 3
    assert bus.numbers == [1, 2, 3]
    assert [(await outbox_of(number)).attempts for number in (1, 2, 3)] == [0, 0, 0]
    assert (await outbox_of(2)).published_at is not None


class RefusingBus:
    """Takes nothing, and is only asked whether it would."""

    def __init__(self, *, refuses: bool = True) -> None:
        self.refuses, self.asked = refuses, 0

    async def skip(self, event: OutboxEvent) -> None:
        raise AssertionError("nothing here is given up")

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        raise AssertionError("there is no event")

    async def probe(self) -> None:
        self.asked += 1
        if self.refuses:
            raise BusUnavailable("full")


class SilentBus:
    """Answers when it is told to."""

    async def probe(self) -> None:
        await self.publish([])

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def skip(self, event: OutboxEvent) -> None:
        raise AssertionError("nothing here is given up")

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        self.asked.set()
        await self.answers.wait()


async def test_a_bus_that_does_not_answer_is_named_before_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "SLOW", 0.05)
    await happen(1)
    bus = SilentBus()
    relay = Relay(bus)
    draining = asyncio.create_task(relay.drain())
    await bus.asked.wait()
    await until(lambda: relay.trouble == "no answer for 0 s")
    bus.answers.set()
    assert await draining == 1
    assert relay.trouble == ""


async def test_a_bus_that_takes_nothing_is_named_without_an_event(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked while nothing is published; all is well again without an event as well."""
    settings.RELAY_INTERVAL = timedelta(milliseconds=10)
    monkeypatch.setattr(relay_module, "PROBE_INTERVAL", 0.0)
    bus = RefusingBus()
    relay = Relay(bus)
    running = asyncio.create_task(relay.run())
    await until(lambda: bus.asked >= 3)
    assert relay.trouble == "full"
    assert caplog.text.count("No event could be published: full") == 1
    bus.refuses = False
    await until(lambda: relay.trouble == "")
    await end(running)


async def test_a_bus_that_is_used_is_not_asked_as_well(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RELAY_INTERVAL = timedelta(milliseconds=10)
    bus = RefusingBus(refuses=False)
    turns: list[int] = []
    monkeypatch.setattr("events.relay.Relay.drain", AsyncMock(side_effect=lambda: turns.append(1)))
    running = asyncio.create_task(Relay(bus).run())
    await until(lambda: len(turns) >= 5)
    await end(running)
    assert bus.asked == 0


async def test_a_probe_without_an_answer_is_named(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "SLOW", 0.05)
    monkeypatch.setattr(relay_module, "PROBE_INTERVAL", 0.0)
    bus = SilentBus()
    relay = Relay(bus)
    running = asyncio.create_task(relay.run())
    await until(lambda: relay.trouble == "no answer for 0 s")
    bus.answers.set()
    await until(lambda: relay.trouble == "")
    await end(running)


@pytest.mark.parametrize("problem", ["account", "stream", "sealed"])
async def test_a_stream_without_room_holds_nothing_against_an_event(
    tmp_path: Path, problem: str, settings: Any
) -> None:
    """The account's limit, which has another code than a full stream, and a stream that was sealed."""
    settings.RELAY_MAX_ATTEMPTS = 1
    config = tmp_path / "nats.conf"
    write_nats_config(config)
    with NatsServer(tmp_path / "nats", config=config) as server:
        settings.NATS_URL = server.url
        client = await connect_to_nats("relay")
        context = client.jetstream()
        info = await ensure_stream(context)
        await context.publish("match.found", b"1")
        match problem:
            case "account":
                write_nats_config(config, most_bytes=1)
                server.reload()
            case "stream":
                await context.update_stream(info.config.evolve(max_msgs=1, discard="new"))
            case "sealed":
                await context.update_stream(info.config.evolve(sealed=True, max_age=0))
        await happen(*range(5))
        await in_write_thread(OutboxEvent.objects.update, subject="match.found")
        relay = Relay(JetStreamBus(client, deliver, skip, delivered, newest=0))
        draining = asyncio.create_task(relay.drain())
        await until(lambda: relay.trouble)
        await asyncio.sleep(0.1)
        assert not await in_read_thread(OutboxEvent.objects.filter(attempts__gt=0).exists)
        if problem == "sealed":  # for ever: it can only be deleted
            await context.delete_stream(STREAM)
            await ensure_stream(context)
        elif problem == "account":
            write_nats_config(config)
            server.reload()
        else:
            await context.update_stream(info.config.evolve(max_msgs=-1))
        assert await draining == 5
        await client.close()
