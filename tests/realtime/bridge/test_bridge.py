"""The bridge on real NATS, Valkey and a database: both directions, faults, and one at a time."""

import asyncio
import json
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from django.utils import timezone
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from common.nats import connect_to_nats
from common.redis import async_redis
from common.threads import in_read_thread, in_write_thread
from events import dead_letters
from events.models import DeadLetter, OutboxEvent
from events.stream import DURABLE, ID_HEADER, STREAM, TYPE_HEADER, VALID_UNTIL_HEADER, VIEWS_HEADER
from realtime.bridge import bridge as module
from realtime.bridge.bridge import Bridge
from realtime.bridge.inbound import read_message
from realtime.bridge.lease import KEY
from realtime.delivery.history import history
from rides.models import Match
from rides.services.beacons import beacon_update
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from tests.cast import BLOK_M, MONAS, propose, stand_by
from tests.realtime.bridge.conftest import all_is_delivered, running_bridge, told, until, until_async
from users.models import User
from users.selectors import users_missing

pytestmark = pytest.mark.django_db(transaction=True)


async def say(client: Client, subject: str, **data: Any) -> None:
    """Publish as another service does: bare JSON, without JetStream's answer."""
    await client.publish(subject, json.dumps(data, default=str).encode())


async def letters() -> list[DeadLetter]:
    return await in_read_thread(list, DeadLetter.objects.order_by("id"))


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
    await until_async(lambda: in_read_thread(OutboxEvent.objects.filter(published_at__isnull=False).count))
    await until_async(lambda: _has(putri, 5))
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


async def _has(user: User, count: int) -> bool:
    return (await history().read(user.pk)).head >= count


async def test_a_bare_message_of_another_service_reaches_both_unchanged(
    bridge: Bridge, nats_client: Client, dewi: User, putri: User
) -> None:
    data = {"match_id": "m-1", "driver_id": str(dewi.pk), "passenger_id": str(putri.pk), "surge": {"factor": 1.5}}
    await say(nats_client, "match.found", **data)
    ride = {"driver_id": str(dewi.pk), "passenger_id": str(putri.pk), "ride_id": "r"}
    await say(nats_client, "ride.completed", ride=ride, payment={"status": "ACCEPTED"})
    await say(nats_client, "ride.rated", driver_id=str(dewi.pk), stars=5)  # no business of ours
    await say(nats_client, "ride.pickup", **data)
    for user in (dewi, putri):
        await until_async(partial(_has, user, 3))
        frames = await told(user.pk)
        assert [frame["type"] for frame in frames] == ["match_proposal", "ride_completed", "ride_pickup"]
        assert frames[0]["data"] == data
        assert frames[1]["data"]["ride"] == ride
    await all_is_delivered(nats_client)
    assert await letters() == []


async def test_a_fitting_proposal_of_another_service_becomes_a_match(
    bridge: Bridge, nats_client: Client, dewi: User, putri: User, settings: Any
) -> None:
    settings.MATCH_MAX_DRIVERS = 0
    await in_write_thread(stand_by, dewi)
    wish: dict[str, Any] = {"location": MONAS, "target_location": BLOK_M}
    await in_write_thread(finder_update, user_id=putri.pk, is_active=True, **wish)
    match_id = uuid4()
    await say(nats_client, "match.found", match_id=match_id, driver_id=dewi.pk, passenger_id=putri.pk)
    await until_async(lambda: _has(dewi, 1))
    for user in (putri, dewi):
        await in_write_thread(match_confirm, user_id=user.pk, match_id=match_id, accepted=True)
    assert (await in_read_thread(Match.objects.get, pk=match_id)).status == "ACCEPTED"
    await until_async(lambda: _has(dewi, 4))
    types = [frame["type"] for frame in await told(dewi.pk)]
    assert types == ["match_proposal", "match_confirm", "match_confirm", "ride_pickup"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"not json", "not of the contract"),
        (b"[1]", "Expected `object`"),
        (b"{}", "no audience"),
        (b'{"driver_id": "DEWI", "x": "\xff"}', "codec can't decode"),
        (b'{"driver_id": 7}', "Expected `uuid`"),
        (b'{"driver_id": "%s"}' % str(UUID(int=9)).encode(), "no such user: 00000000-0000-0000-0000-000000000009"),
        (b'{"driver_id": "DEWI", "distance_km": "far"}', "distance_km"),
        (b'{"driver_id": "DEWI", "location": {"latitude": 91, "longitude": 0}}', "location"),
        (b'{"driver_id": "DEWI", "x": "' + b"x" * 70_000 + b'"}', "at most 65536"),
    ],
)
async def test_what_can_never_be_delivered_is_kept_and_blocks_nobody(
    bridge: Bridge, nats_client: Client, dewi: User, payload: bytes, reason: str
) -> None:
    payload = payload.replace(b"DEWI", str(dewi.pk).encode())
    await nats_client.publish("match.found", payload, headers={"X-From": "somebody"})
    await say(nats_client, "match.found", driver_id=dewi.pk)
    await until_async(lambda: _has(dewi, 1))
    await all_is_delivered(nats_client)
    assert len(await told(dewi.pk)) == 1
    [letter] = await letters()
    assert (bytes(letter.payload), letter.subject, letter.sequence) == (payload, "match.found", 1)
    assert letter.headers == {"X-From": "somebody"}
    assert reason in letter.reason


@pytest.mark.parametrize("status", ["100", "404", "503"])
async def test_a_header_of_another_service_is_no_word_of_the_server(
    bridge: Bridge, nats_client: Client, dewi: User, status: str
) -> None:
    payload = json.dumps({"driver_id": str(dewi.pk)}).encode()
    await nats_client.publish("match.found", payload, headers={"Status": status})
    await until_async(lambda: _has(dewi, 1))
    await all_is_delivered(nats_client)


async def test_a_dead_letter_may_have_what_no_database_takes(bridge: Bridge, nats_client: Client, dewi: User) -> None:
    headers = b"NATS/1.0\r\nX-A: a\0b\r\n\r\n"
    payload = b"not json \0 \xff"
    size = len(headers), len(headers) + len(payload)
    assert nats_client._transport is not None
    nats_client._transport.write(b"HPUB match.rejected %d %d\r\n%b%b\r\n" % (*size, headers, payload))
    await say(nats_client, "match.found", driver_id=dewi.pk)
    await until_async(lambda: _has(dewi, 1))
    await all_is_delivered(nats_client)
    [letter] = await letters()
    assert bytes(letter.payload) == payload
    assert letter.headers == {"X-A": "a\ufffdb"}


async def test_forged_headers_deliver_nothing_to_who_does_not_exist(
    bridge: Bridge, nats_client: Client, dewi: User
) -> None:
    headers = {ID_HEADER: str(uuid4()), TYPE_HEADER: "match_proposal", VIEWS_HEADER: f'{{"{uuid4()}": {{"n": 1}}}}'}
    await nats_client.publish("match.found", json.dumps({"driver_id": str(dewi.pk)}).encode(), headers=headers)
    await until(lambda: bridge.progress.dead == 1)
    assert "no such user" in (await letters())[0].reason


async def test_a_stream_that_was_made_anew_is_bridged_like_the_first(
    bridge: Bridge, nats_client: Client, dewi: User
) -> None:
    for number in range(3):
        await say(nats_client, "match.found", driver_id=dewi.pk, n=number)
    await until_async(lambda: _has(dewi, 3))
    await nats_client.jetstream().delete_stream(STREAM)
    await until_async(lambda: _exists(nats_client))
    await say(nats_client, "match.found", driver_id=dewi.pk, n=3)
    await until_async(lambda: _has(dewi, 4))
    await in_write_thread(beacon_update, user_id=dewi.pk, is_active=True)
    await until_async(lambda: _has(dewi, 5))


async def _exists(client: Client) -> bool:
    try:
        return bool(await client.jetstream().stream_info(STREAM))
    except NotFoundError:
        return False


async def test_a_dead_letter_can_be_replayed_after_a_fix(
    bridge: Bridge, nats_client: Client, monkeypatch: pytest.MonkeyPatch, dewi: User
) -> None:
    monkeypatch.setattr("realtime.bridge.inbound.MAX_PAYLOAD", 10)
    await say(nats_client, "match.found", driver_id=dewi.pk, n=1)
    await until(lambda: bridge.progress.dead == 1)
    monkeypatch.setattr("realtime.bridge.inbound.MAX_PAYLOAD", 1000)
    assert await in_write_thread(dead_letters.dead_letters_request_replay) == 1
    await until_async(lambda: _has(dewi, 1))
    [letter] = await letters()
    await until_async(lambda: in_read_thread(DeadLetter.objects.filter(replayed_at__isnull=False).exists))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == [1]
    assert await in_write_thread(dead_letters.dead_letters_request_replay) == 0
    assert await in_write_thread(lambda: dead_letters.dead_letters_request_replay(ids=[letter.pk])) == 1
    await until_async(lambda: _has(dewi, 2))


async def test_a_letter_that_nats_refuses_blocks_no_other(bridge: Bridge, nats_client: Client) -> None:
    context = nats_client.jetstream()
    await context.publish("match.found", b"1")
    await context.publish("match.found", b"2", headers={"Nats-Expected-Last-Sequence": "1"})
    await context.publish("match.found", b"3")
    await until(lambda: bridge.progress.dead == 3)
    await in_write_thread(dead_letters.dead_letters_request_replay)
    await until(lambda: bridge.progress.replayed == 3)


async def test_an_event_that_nats_does_not_take_is_given_up(bridge: Bridge, dewi: User, putri: User) -> None:
    for user, data in ((putri, {"x": "x" * 2_000_000}), (dewi, {"driver_id": str(dewi.pk)})):
        audience = {str(user.pk): None}
        await in_write_thread(
            OutboxEvent.objects.create, key=str(user.pk), type="t", subject="match.found", data=data, audience=audience
        )
    await until_async(lambda: _has(dewi, 1))
    await until_async(lambda: in_read_thread(OutboxEvent.objects.filter(failed_at__isnull=False).exists))


async def test_a_message_that_always_fails_is_given_up_and_the_others_go_on(
    bridge: Bridge, nats_client: Client, monkeypatch: pytest.MonkeyPatch, dewi: User, settings: Any
) -> None:
    monkeypatch.setattr(module, "RETRY_DELAY", 0.01)
    settings.BRIDGE_MAX_ATTEMPTS = 3
    right, tries = read_message, []

    def wrong(message: Msg, stream_id: str) -> Any:
        if b"poison" in message.data:
            tries.append(1)
            raise ZeroDivisionError("a bug")
        return right(message, stream_id)

    monkeypatch.setattr(module, "read_message", wrong)
    for word in ("before", "poison", "after"):
        await say(nats_client, "match.found", driver_id=dewi.pk, word=word)
    await until_async(lambda: _has(dewi, 2))
    await all_is_delivered(nats_client)
    assert [frame["data"]["word"] for frame in await told(dewi.pk)] == ["before", "after"]
    [letter] = await letters()
    assert "failed 3 times: ZeroDivisionError: a bug" in letter.reason
    assert 3 <= len(tries) <= 4


async def test_what_fails_for_a_passing_reason_is_tried_again_in_place(
    bridge: Bridge, nats_client: Client, monkeypatch: pytest.MonkeyPatch, dewi: User, settings: Any
) -> None:
    monkeypatch.setattr(module, "RETRY_DELAY", 0.01)
    settings.BRIDGE_MAX_ATTEMPTS = 1
    right, failures = users_missing, iter([OperationalError("away")] * 10)

    def away(users: Any) -> set[UUID]:
        for failure in failures:
            raise failure
        return right(users)

    monkeypatch.setattr(module, "users_missing", away)
    for number in range(50):
        await say(nats_client, "match.found", driver_id=dewi.pk, n=number)
    await until_async(lambda: _has(dewi, 50))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == list(range(50))
    await all_is_delivered(nats_client)
    assert await letters() == []


async def test_a_proposal_that_has_expired_on_the_way_is_not_delivered(
    bridge: Bridge, nats_client: Client, dewi: User
) -> None:
    payload = json.dumps({"driver_id": str(dewi.pk)}).encode()
    for seconds in (-1, 60):
        valid_until = (timezone.now() + timedelta(seconds=seconds)).isoformat()
        headers = {ID_HEADER: str(uuid4()), TYPE_HEADER: "match_proposal", VALID_UNTIL_HEADER: valid_until}
        await nats_client.publish("match.found", payload, headers=headers)
    await until_async(lambda: _has(dewi, 1))
    await all_is_delivered(nats_client)
    assert len(await told(dewi.pk)) == 1


async def test_recipients_may_see_different_data(bridge: Bridge, nats_client: Client, dewi: User, putri: User) -> None:
    await in_write_thread(
        OutboxEvent.objects.create,
        key="k", type="ride_start", subject="ride.started", data={"driver_id": str(dewi.pk), "n": "all"},
        audience={str(dewi.pk): None, str(putri.pk): {"n": "less"}},
    )  # fmt: skip
    await until_async(lambda: _has(putri, 1))
    assert [(await told(user.pk))[0]["data"]["n"] for user in (dewi, putri)] == ["all", "less"]


async def test_of_two_bridges_one_is_active_and_the_other_takes_over(
    distributed: None, nats_client: Client, dewi: User, settings: Any
) -> None:
    settings.BRIDGE_LEASE = timedelta(seconds=0.5)
    async with running_bridge() as first:
        await until_async(lambda: async_redis().exists(KEY))
        async with running_bridge() as second:
            await say(nats_client, "match.found", driver_id=dewi.pk, n=1)
            await until_async(lambda: _has(dewi, 1))
            assert (first.progress.delivered, second.progress.delivered) == (1, 0)
            first.stop()
            await until_async(lambda: _holds_the_lease(second))
            await say(nats_client, "match.found", driver_id=dewi.pk, n=2)
            await until_async(lambda: _has(dewi, 2))
            assert (first.progress.delivered, second.progress.delivered) == (1, 1)
            await all_is_delivered(nats_client)
            second._lease.token = "somebody else's"  # it was stopped for a while, and a third has the lease
            await say(nats_client, "match.found", driver_id=dewi.pk, n=3)
            await until_async(lambda: _has(dewi, 3))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == [1, 2, 3]


async def _holds_the_lease(bridge: Bridge) -> bool:
    return bool(await async_redis().get(KEY) == bridge._lease.token.encode())


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
    await until_async(lambda: _has(dewi, 400))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == list(range(400))
    await all_is_delivered(nats_client)


async def test_messages_that_were_deleted_hold_nobody_up(distributed: None, nats_client: Client, dewi: User) -> None:
    async with running_bridge() as first:
        await until_async(lambda: _consumer_exists(nats_client))
        del first
    await say(nats_client, "match.found", driver_id=dewi.pk, n=1)
    await nats_client.flush()
    context = nats_client.jetstream()
    await until_async(lambda: _last(context))
    await context.purge_stream(STREAM)
    async with running_bridge():
        await in_write_thread(beacon_update, user_id=dewi.pk, is_active=True)
        await until_async(lambda: _has(dewi, 1))


async def _consumer_exists(client: Client) -> bool:
    try:
        return bool(await client.jetstream().consumer_info(STREAM, DURABLE))
    except Exception:
        return False


async def _last(context: Any) -> int:
    return int((await context.stream_info(STREAM)).state.last_seq)


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
    assert (bridge.progress.relayed, bridge.progress.delivered) == (2, 2)
    await async_redis().set(KEY, "another")
    assert not await Bridge(client).run_once()
    await client.close()
