"""What comes to the bridge of one shard and is for users of another: handed on, once and in order."""

import json
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.buses.jetstream import message_of
from events.models import OutboxEvent
from events.signature import SIGNATURE_HEADER, is_signed, signature_of
from events.stream import STREAM, VALID_UNTIL_HEADER, VIEWS_HEADER, ensure_stream
from tests.patience import until
from tests.realtime.bridge.conftest import has, letters, running_bridges, say, told
from tests.realtime.bridge.test_shards import ari, sari
from users.models import User

__all__ = ["ari", "sari"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("two_shards")]


async def test_other_services_know_nothing_of_shards(nats_client: Client, ari: User, sari: User) -> None:
    """Both people of a bare message are told, with its fields unchanged and in the order of the messages."""
    handed: list[Msg] = []

    async def hear(message: Msg) -> None:
        handed.append(message)

    await nats_client.subscribe("shard.1.>", cb=hear)
    await ensure_stream(nats_client.jetstream())
    async with running_bridges():
        for number in range(20):
            await say(nats_client, "match.found", driver_id=ari.pk, passenger_id=sari.pk, n=number, odd="ü")
        await until(lambda: has(ari, 20))
        await until(lambda: has(sari, 20))
    for person in (ari, sari):
        frames = await told(person.pk)
        assert [frame["data"]["n"] for frame in frames] == list(range(20))
        assert frames[0]["data"]["odd"] == "ü"
    handed = [message for message in handed if message.subject == "shard.1.match.found"]
    assert len(handed) == 20
    assert all(is_signed(message.subject, message.data, message.headers or {}) for message in handed)
    assert await letters() == []


async def test_a_stranger_says_nothing_that_is_believed(nats_client: Client, ari: User, sari: User) -> None:
    """Headers that show somebody something else are not handed on as ours; when an offer ends is."""
    context = nats_client.jetstream()
    await ensure_stream(context)
    lie = json.dumps({str(sari.pk): {"n": "a lie"}})
    payload = json.dumps({"driver_id": str(ari.pk), "passenger_id": str(sari.pk), "n": 1}).encode()
    for until_when in ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"):
        headers = {VIEWS_HEADER: lie, VALID_UNTIL_HEADER: until_when}
        await context.publish("match.found", payload, stream=STREAM, headers=headers)
    async with running_bridges():
        await until(lambda: has(sari, 1))
        await until(lambda: has(ari, 1))
    for person in (ari, sari):
        assert [frame["data"]["n"] for frame in await told(person.pk)] == [1]


async def test_what_one_shard_has_published_reaches_both(nats_client: Client, ari: User, sari: User) -> None:
    """Messages from before there were two: each recipient sees what is theirs, also when it comes again."""
    context = nats_client.jetstream()
    await ensure_stream(context)
    audience: dict[str, Any] = {str(ari.pk): {"n": "Ari's"}, str(sari.pk): None}
    event = OutboxEvent(key="k", type="match_proposal", subject="match.found", data={"n": "all"}, audience=audience)
    payload, headers = message_of(event)
    headers[SIGNATURE_HEADER] = signature_of(event.subject, payload, headers)
    await context.publish(event.subject, payload, stream=STREAM, headers=headers)
    async with running_bridges():
        await until(lambda: has(sari, 1))
        await until(lambda: has(ari, 1))
    handed = await context.get_msg(f"{STREAM}_1", 1)
    assert (handed.headers or {})["Nats-Msg-Id"] == f"{event.event_id}/1"
    assert [frame["data"]["n"] for frame in await told(ari.pk)] == ["Ari's"]
    assert [frame["data"]["n"] for frame in await told(sari.pk)] == ["all"]
