"""One bridge at a time, on real NATS, Valkey and a database."""

import json
from datetime import timedelta
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from common.nats import connect_to_nats
from common.redis import async_redis
from common.threads import in_read_thread, in_write_thread
from events.models import OutboxEvent
from events.stream import ID_HEADER, ensure_stream
from realtime.bridge.bridge import Bridge
from realtime.bridge.lease import KEY
from rides.services.matches import match_confirm
from tests.cast import propose
from tests.patience import until
from tests.realtime.bridge.conftest import all_is_delivered, has, running_bridge, say, told
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


async def test_what_is_committed_reaches_the_people_by_way_of_nats(
    bridge: Bridge, nats_client: Client, dewi: User, putri: User
) -> None:
    heard: list[Msg] = []

    async def hear(message: Msg) -> None:
        heard.append(message)

    await nats_client.subscribe(">", cb=hear)
    await nats_client.flush()
    match = await in_write_thread(propose, dewi, putri)
    await in_write_thread(match_confirm, user_id=dewi.pk, match_id=match.pk, accepted=True)
    await in_write_thread(match_confirm, user_id=putri.pk, match_id=match.pk, accepted=True)
    await until(lambda: in_read_thread(OutboxEvent.objects.filter(published_at__isnull=False).count))
    await until(lambda: has(putri, 5))
    assert [frame["type"] for frame in await told(putri.pk)] == [
        "finder_update", "match_proposal", "match_confirm", "match_confirm", "ride_pickup",
    ]  # fmt: skip
    assert [frame["type"] for frame in await told(dewi.pk)] == [
        "match_proposal", "match_confirm", "match_confirm", "ride_pickup",
    ]  # fmt: skip
    await all_is_delivered(nats_client)
    published = [message for message in heard if not message.reply.startswith("$JS.ACK")]
    subjects = [
        message.subject for message in published if not message.subject.startswith(("_INBOX", "$JS", "nebengjek"))
    ]
    assert subjects == ["user.finder", "match.found", "match.confirmed", "match.accepted", "ride.pickup"]
    found = next(message for message in heard if message.subject == "match.found")
    assert json.loads(found.data)["driver_id"] == str(dewi.pk)
    event = await in_read_thread(OutboxEvent.objects.get, subject="match.found")
    assert found.headers is not None
    assert found.headers[ID_HEADER] == str(event.event_id)


async def test_of_two_bridges_one_is_active_and_the_other_takes_over(
    distributed: None, nats_client: Client, dewi: User, settings: Any
) -> None:
    await ensure_stream(nats_client.jetstream())
    settings.BRIDGE_LEASE = timedelta(minutes=5)  # so that the first cannot lose it, however busy the machine is
    async with running_bridge() as first:
        await until(lambda: async_redis().exists(KEY))
        settings.BRIDGE_LEASE = timedelta(seconds=2)
        async with running_bridge() as second:
            await say(nats_client, "match.found", driver_id=dewi.pk, n=1)
            await until(lambda: first.counts.delivered == 1)
            assert second.counts.delivered == 0
            first.stop()
            await until(lambda: _holds_the_lease(second))
            await say(nats_client, "match.found", driver_id=dewi.pk, n=2)
            await until(lambda: second.counts.delivered == 1)
            assert first.counts.delivered == 1
            await all_is_delivered(nats_client)
            second.lease.token = "somebody else's"  # it was stopped for a while, and a third has the lease
            await say(nats_client, "match.found", driver_id=dewi.pk, n=3)
            await until(lambda: has(dewi, 3))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == [1, 2, 3]


async def _holds_the_lease(bridge: Bridge) -> bool:
    return bool(await async_redis().get(KEY) == bridge.lease.token.encode())


async def test_once_hands_out_what_waits_and_ends(
    distributed: None, nats_client: Client, dewi: User, putri: User
) -> None:
    client = await connect_to_nats("bridge")
    bridge = Bridge(client)
    assert await bridge.run_once()
    await in_write_thread(propose, dewi, putri)
    await say(nats_client, "match.found", driver_id=dewi.pk, n="bare")
    await nats_client.flush()
    bridge = Bridge(client)
    assert await bridge.run_once()
    assert [frame["type"] for frame in await told(putri.pk)] == ["finder_update", "match_proposal"]
    assert len(await told(dewi.pk)) == 2
    await all_is_delivered(nats_client)
    assert (bridge.counts.relayed, bridge.counts.delivered) == (2, 2)
    await async_redis().set(KEY, "another")
    assert not await Bridge(client).run_once()
    await client.close()


async def test_an_eviction_policy_is_warned_of(
    distributed: None, nats_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis would lose counters, and clients would get the state instead of what they missed."""
    await async_redis().config_set("maxmemory-policy", "allkeys-lru")
    client = await connect_to_nats("bridge")
    try:
        assert await Bridge(client).run_once()
    finally:
        await async_redis().config_set("maxmemory-policy", "noeviction")
        await client.close()
    assert "Redis evicts keys (allkeys-lru)" in caplog.text
