"""Messages that left the stream before they were delivered: clients must not believe that they have everything."""

import asyncio
import json

import pytest
from nats.aio.client import Client

from common.redis import async_redis
from common.threads import in_read_thread, in_write_thread
from events.models import OutboxEvent
from events.stream import STREAM, ensure_stream
from realtime.bridge.bridge import Bridge
from realtime.delivery.history import Cursor, history
from tests.patience import until
from tests.realtime.bridge.conftest import all_is_delivered, has, running_bridge, say
from users.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("distributed")]


async def cursor_of(user: User) -> Cursor:
    reading = await history().read(user.pk)
    return Cursor(reading.epoch, reading.head)


async def is_current(user: User, cursor: Cursor) -> bool:
    """Tell whether a client with this cursor would be resumed, and not get the state."""
    return (await history().read(user.pk, cursor)).missed is not None


async def publish(client: Client, user: User, *numbers: int) -> None:
    """Publish, and wait until all is in the stream."""
    for n in numbers:
        payload = json.dumps({"driver_id": str(user.pk), "n": n}).encode()
        await client.jetstream().publish("match.found", payload)


async def deliver(client: Client, user: User, *numbers: int) -> Cursor:
    """Let a bridge deliver these, and stop it; return where the user is then."""
    async with running_bridge():
        await until(lambda: has(user, 0))
        await ensure_stream(client.jetstream())
        await publish(client, user, *numbers)
        await until(lambda: has(user, numbers[-1]))
        await all_is_delivered(client)
    return await cursor_of(user)


async def test_what_was_delivered_may_leave_the_stream(nats_client: Client, dewi: User) -> None:
    """Deleting it changes nothing for anybody, and neither does another bridge."""
    seen = await deliver(nats_client, dewi, 1, 2)
    await nats_client.jetstream().purge_stream(STREAM)
    now = await deliver(nats_client, dewi, 3)
    assert now == Cursor(seen.epoch, 3)
    assert await is_current(dewi, seen)


async def test_a_deleted_message_is_noticed_at_the_next_one(nats_client: Client, dewi: User) -> None:
    seen = await deliver(nats_client, dewi, 1)
    await publish(nats_client, dewi, 2, 3)
    await nats_client.jetstream().delete_msg(STREAM, 2)
    async with running_bridge():
        await until(lambda: has(dewi, 2))
        await all_is_delivered(nats_client)
    assert not await is_current(dewi, seen)
    assert await is_current(dewi, await cursor_of(dewi))


async def test_a_message_deleted_amid_a_batch_is_noticed(nats_client: Client, dewi: User) -> None:
    seen = await deliver(nats_client, dewi, 1)
    await publish(nats_client, dewi, 2, 3, 4, 5)
    await nats_client.jetstream().delete_msg(STREAM, 4)
    async with running_bridge():
        await until(lambda: has(dewi, 4))
        await all_is_delivered(nats_client)
    assert not await is_current(dewi, seen)


async def test_a_purge_is_noticed_without_any_next_one(nats_client: Client, dewi: User) -> None:
    """Nobody publishes again, and nobody waits for what is gone."""
    seen = await deliver(nats_client, dewi, 1)
    await publish(nats_client, dewi, 2, 3)
    await nats_client.jetstream().purge_stream(STREAM)
    async with running_bridge():

        async def is_over() -> bool:
            return not await is_current(dewi, seen)

        await until(is_over)
        now = await cursor_of(dewi)
        await publish(nats_client, dewi, 4)
        await until(lambda: has(dewi, 2))
    assert (await history().read(dewi.pk, now)).missed is not None


async def test_a_stream_that_was_created_again_begins_an_epoch(nats_client: Client, dewi: User) -> None:
    """What the first one still had is gone."""
    seen = await deliver(nats_client, dewi, 1)
    await publish(nats_client, dewi, 2, 3)
    await nats_client.jetstream().delete_stream(STREAM)
    await deliver(nats_client, dewi, 2)
    assert not await is_current(dewi, seen)


async def test_a_takeover_changes_nothing(nats_client: Client, dewi: User, bridge: Bridge) -> None:
    """The next bridge goes on just after the last message that was delivered."""
    await publish(nats_client, dewi, *range(1, 51))
    await until(lambda: has(dewi, 50))
    seen = await cursor_of(dewi)
    bridge.stop()
    await asyncio.sleep(0)
    now = await deliver(nats_client, dewi, *range(51, 101))
    assert now == Cursor(seen.epoch, 100)


async def test_one_message_that_fails_is_no_gap(
    nats_client: Client, dewi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It becomes a dead letter; then the others are delivered each by itself."""
    seen = await deliver(nats_client, dewi, 1)
    monkeypatch.setattr("realtime.bridge.reading.MAX_PAYLOAD", 200)
    await publish(nats_client, dewi, 2)
    await say(nats_client, "match.found", driver_id=dewi.pk, x="x" * 300)
    await publish(nats_client, dewi, 3)
    async with running_bridge():
        await until(lambda: has(dewi, 3))
        await all_is_delivered(nats_client)
    assert await is_current(dewi, seen)
    assert await async_redis().exists("nebengjek:generation")


async def test_an_event_that_is_given_up_is_no_secret(nats_client: Client, dewi: User) -> None:
    """Its recipients get the state; until then they would believe that they have everything."""
    seen = await deliver(nats_client, dewi, 1)
    row = OutboxEvent(key="k", type="match_found", subject="match.found", audience={str(dewi.pk): None})
    row.data = {"driver_id": str(dewi.pk), "text": "x" * 2_000_000}  # more than NATS allows
    await in_write_thread(row.save)
    async with running_bridge():

        async def is_given_up() -> bool:
            await in_read_thread(row.refresh_from_db)
            return row.failed_at is not None

        await until(is_given_up)
    assert not await is_current(dewi, seen)
    assert await is_current(dewi, await cursor_of(dewi))
