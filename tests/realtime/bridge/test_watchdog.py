"""A bridge whose database hangs lets another one work, on real NATS and Valkey."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from nats.aio.client import Client

from common.redis import async_redis
from events.pending import PendingEvents
from events.stream import ensure_stream
from realtime.bridge.lease import KEY
from realtime.bridge.watchdog import Stalled, Watchdog
from realtime.delivery.fence import NotActive
from tests.patience import until
from tests.realtime.bridge.conftest import all_is_delivered, has, running_bridge, say, told
from users.models import User
from users.selectors import users_missing


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """An event that somebody waits for; it comes at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


async def test_a_step_that_takes_too_long_is_noticed(settings: Any) -> None:
    """One that makes progress, or has ended, is not."""
    settings.BRIDGE_LEASE = timedelta(milliseconds=50)
    watchdog = Watchdog()
    watching = asyncio.create_task(watchdog.run())
    with watchdog.step("quick"):
        pass
    with watchdog.step("long"):
        for _ in range(20):
            await asyncio.sleep(0.01)
            watchdog.progress("long")
        assert not watching.done()
        with pytest.raises(Stalled, match=r"long makes no progress for 0\.1 s"):
            await watching
    assert issubclass(Stalled, NotActive)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("distributed")
async def test_a_bridge_that_hangs_is_replaced(
    nats_client: Client, dewi: User, settings: Any, monkeypatch: pytest.MonkeyPatch, hanging: threading.Event
) -> None:
    """The message that it held is delivered by the other, once, and nothing of it comes later."""
    settings.BRIDGE_LEASE = timedelta(seconds=1)
    await ensure_stream(nats_client.jetstream())
    calls: list[int] = []

    def hang_once(users: Any) -> set[UUID]:
        calls.append(1)
        if len(calls) == 1:
            hanging.wait()
        return users_missing(users)

    monkeypatch.setattr("realtime.bridge.batches.users_missing", hang_once)
    async with running_bridge() as first, running_bridge() as second:
        await say(nats_client, "match.found", driver_id=dewi.pk, n=1)
        await until(lambda: has(dewi, 1))
        hanging.set()
        await say(nats_client, "match.found", driver_id=dewi.pk, n=2)
        await until(lambda: has(dewi, 2))
        await all_is_delivered(nats_client)
        assert sorted([first.counts.delivered, second.counts.delivered]) == [0, 2]
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == [1, 2]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("distributed")
async def test_a_bridge_that_cannot_read_the_outbox_is_replaced(
    nats_client: Client, dewi: User, settings: Any, monkeypatch: pytest.MonkeyPatch, hanging: threading.Event
) -> None:
    """Also while no message comes."""
    settings.BRIDGE_LEASE = timedelta(seconds=1)
    pending, tokens = PendingEvents.read, set[str]()

    def hang_once(self: PendingEvents, limit: int) -> Any:
        if not tokens:
            tokens.add("hangs")
            hanging.wait()
        return pending(self, limit)

    monkeypatch.setattr(PendingEvents, "read", hang_once)
    async with running_bridge() as first, running_bridge() as second:
        await until(lambda: asyncio.sleep(0, bool(tokens)))
        held = await holder()
        assert held in (first.lease.token, second.lease.token)

        async def is_taken_over() -> bool:
            return await holder() not in (held, None)

        await until(is_taken_over)


async def holder() -> str | None:
    token = await async_redis().get(KEY)
    return token.decode() if isinstance(token, bytes) else None
