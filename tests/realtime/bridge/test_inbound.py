"""From the stream to the users, on real servers: order, faults, and messages that are gone."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from common.redis import async_redis
from common.threads import in_write_thread
from events.stream import DURABLE, STREAM
from realtime.bridge import passing
from realtime.bridge.bridge import Bridge
from realtime.bridge.inbound import ACK_DELAY
from realtime.bridge.lease import KEY
from realtime.bridge.reading import read_message
from rides.services.beacons import beacon_update
from tests.patience import until
from tests.realtime.bridge.conftest import all_is_delivered, has, letters, running_bridge, say, told
from users.models import User
from users.selectors import users_missing

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("status", ["100", "404", "503"])
async def test_a_header_of_another_service_is_no_word_of_the_server(
    bridge: Bridge, nats_client: Client, dewi: User, status: str
) -> None:
    payload = json.dumps({"driver_id": str(dewi.pk)}).encode()
    await nats_client.publish("match.found", payload, headers={"Status": status})
    await until(lambda: has(dewi, 1))
    await all_is_delivered(nats_client)


async def test_a_stream_that_was_made_anew_is_bridged_like_the_first(
    bridge: Bridge, nats_client: Client, dewi: User
) -> None:
    for number in range(3):
        await say(nats_client, "match.found", driver_id=dewi.pk, n=number)
    await until(lambda: has(dewi, 3))
    await nats_client.jetstream().delete_stream(STREAM)
    await until(lambda: _exists(nats_client))
    await say(nats_client, "match.found", driver_id=dewi.pk, n=3)
    await until(lambda: has(dewi, 4))
    await in_write_thread(beacon_update, user_id=dewi.pk, is_active=True)
    await until(lambda: has(dewi, 5))


async def _exists(client: Client) -> bool:
    try:
        return bool(await client.jetstream().stream_info(STREAM))
    except NotFoundError:
        return False


async def test_a_message_that_always_fails_is_given_up_and_the_others_go_on(
    bridge: Bridge, nats_client: Client, monkeypatch: pytest.MonkeyPatch, dewi: User, settings: Any
) -> None:
    monkeypatch.setattr(passing, "RETRY_DELAY", 0.01)
    settings.BRIDGE_MAX_ATTEMPTS = 3
    right, tries = read_message, []

    def wrong(message: Msg, stream_id: str, believed: Any) -> Any:
        if b"poison" in message.data:
            tries.append(1)
            raise ZeroDivisionError("a bug")
        return right(message, stream_id, believed)

    monkeypatch.setattr("realtime.bridge.batches.read_message", wrong)
    for word in ("before", "poison", "after"):
        await say(nats_client, "match.found", driver_id=dewi.pk, word=word)
    await until(lambda: has(dewi, 2))
    await all_is_delivered(nats_client)
    assert [frame["data"]["word"] for frame in await told(dewi.pk)] == ["before", "after"]
    [letter] = await letters()
    assert "failed 3 times: ZeroDivisionError: a bug" in letter.reason
    assert 3 <= len(tries) <= 4


async def test_what_fails_for_a_passing_reason_is_tried_again_in_place(
    bridge: Bridge, nats_client: Client, monkeypatch: pytest.MonkeyPatch, dewi: User, settings: Any
) -> None:
    monkeypatch.setattr(passing, "RETRY_DELAY", 0.01)
    settings.BRIDGE_MAX_ATTEMPTS = 1
    right, failures = users_missing, iter([OperationalError("away")] * 10)

    def away(users: Any) -> set[UUID]:
        for failure in failures:
            raise failure
        return right(users)

    monkeypatch.setattr("realtime.bridge.batches.users_missing", away)
    for number in range(50):
        await say(nats_client, "match.found", driver_id=dewi.pk, n=number)
    await until(lambda: has(dewi, 50))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == list(range(50))
    await all_is_delivered(nats_client)
    assert await letters() == []


async def test_after_a_lost_connection_the_order_holds(bridge: Bridge, nats_client: Client, dewi: User) -> None:
    async def publish() -> None:
        for number in range(400):
            await say(nats_client, "match.found", driver_id=dewi.pk, n=number)
            if number % 20 == 0:
                await asyncio.sleep(0.005)

    publishing = asyncio.create_task(publish())
    for _ in range(5):
        await asyncio.sleep(0.02)
        bridge.connection_was_lost()
    await publishing
    await until(lambda: has(dewi, 400))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == list(range(400))
    await all_is_delivered(nats_client)


async def test_messages_that_were_deleted_hold_nobody_up(distributed: None, nats_client: Client, dewi: User) -> None:
    async with running_bridge() as first:
        await until(lambda: _consumer_exists(nats_client))
        del first
    await say(nats_client, "match.found", driver_id=dewi.pk, n=1)
    await nats_client.flush()
    context = nats_client.jetstream()
    await until(lambda: _last(context))
    await context.purge_stream(STREAM)
    async with running_bridge():
        await in_write_thread(beacon_update, user_id=dewi.pk, is_active=True)
        await until(lambda: has(dewi, 1))


async def _consumer_exists(client: Client) -> bool:
    try:
        return bool(await client.jetstream().consumer_info(STREAM, DURABLE))
    except Exception:
        return False


async def _last(context: Any) -> int:
    return int((await context.stream_info(STREAM)).state.last_seq)


async def test_an_ack_stands_for_many_messages(bridge: Bridge, nats_client: Client, dewi: User) -> None:
    """A steady stream costs an ack every `ACK_DELAY`; when it pauses, all of it is acknowledged."""
    acks: list[Msg] = []

    async def note(message: Msg) -> None:
        acks.append(message)

    await nats_client.subscribe("$JS.ACK.>", cb=note)
    began = asyncio.get_running_loop().time()
    for number in range(60):
        await say(nats_client, "match.found", driver_id=dewi.pk, n=number)
        await until(lambda number=number: has(dewi, number + 1))  # type: ignore[misc]
    await all_is_delivered(nats_client)
    took = asyncio.get_running_loop().time() - began
    assert 0 < len(acks) <= took / ACK_DELAY + 2


async def test_what_was_delivered_is_acknowledged_at_the_end(
    distributed: None, nats_client: Client, dewi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bridge that stops leaves nothing to be delivered again."""
    monkeypatch.setattr("realtime.bridge.inbound.ACK_DELAY", 3600.0)
    async with running_bridge():
        await until(lambda: _consumer_exists(nats_client))
        for number in range(5):
            await say(nats_client, "match.found", driver_id=dewi.pk, n=number)
        await until(lambda: has(dewi, 5))
    await all_is_delivered(nats_client)


@pytest.mark.usefixtures("distributed")
async def test_who_has_lost_the_lease_acknowledges_nothing(
    nats_client: Client,
    dewi: User,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The consumer is another bridge's then, and begins before what was delivered where Redis has lost its data."""
    monkeypatch.setattr("realtime.bridge.inbound.ACK_DELAY", 1e9)
    settings.BRIDGE_LEASE = timedelta(seconds=1)
    acks: list[Msg] = []

    async def note(message: Msg) -> None:
        acks.append(message)

    await nats_client.subscribe("$JS.ACK.>", cb=note)
    async with running_bridge():
        await until(lambda: _consumer_exists(nats_client))
        for number in range(5):
            await say(nats_client, "match.found", driver_id=dewi.pk, n=number)
        await until(lambda: has(dewi, 5))
        await async_redis().set(KEY, "another bridge")
        await until(lambda: "Standing down: another bridge has taken over" in caplog.text)
    await nats_client.flush()
    assert acks == []
