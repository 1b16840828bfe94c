"""What becomes of messages, on real servers: notifications, matches, dead letters."""

import json
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from nats.aio.client import Client

from common.threads import in_read_thread, in_write_thread
from events.buses.jetstream import message_of
from events.models import OutboxEvent
from events.signature import SIGNATURE_HEADER, signature_of
from events.stream import ID_HEADER, STREAM, TYPE_HEADER, VALID_UNTIL_HEADER, VIEWS_HEADER
from realtime.bridge.bridge import Bridge
from rides.models import Match
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from tests.cast import BLOK_M, MONAS, stand_by
from tests.patience import until
from tests.realtime.bridge.conftest import all_is_delivered, has, letters, say, told
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


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
        await until(partial(has, user, 3))
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
    await until(lambda: has(dewi, 1))
    for user in (putri, dewi):
        await in_write_thread(match_confirm, user_id=user.pk, match_id=match_id, accepted=True)
    assert (await in_read_thread(Match.objects.get, pk=match_id)).status == "ACCEPTED"
    await until(lambda: has(dewi, 4))
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
    await until(lambda: has(dewi, 1))
    await all_is_delivered(nats_client)
    assert len(await told(dewi.pk)) == 1
    [letter] = await letters()
    assert (bytes(letter.payload), letter.subject, letter.sequence) == (payload, "match.found", 1)
    assert letter.headers == {"X-From": "somebody"}
    assert reason in letter.reason


async def test_a_dead_letter_may_have_what_no_database_takes(bridge: Bridge, nats_client: Client, dewi: User) -> None:
    headers = b"NATS/1.0\r\nX-A: a\0b\r\n\r\n"
    payload = b"not json \0 \xff"
    size = len(headers), len(headers) + len(payload)
    assert nats_client._transport is not None
    nats_client._transport.write(b"HPUB match.rejected %d %d\r\n%b%b\r\n" % (*size, headers, payload))
    await say(nats_client, "match.found", driver_id=dewi.pk)
    await until(lambda: has(dewi, 1))
    await all_is_delivered(nats_client)
    [letter] = await letters()
    assert bytes(letter.payload) == payload
    assert letter.headers == {"X-A": "a\ufffdb"}


async def test_a_forger_reaches_only_whom_a_bare_message_would(
    bridge: Bridge, nats_client: Client, dewi: User, tono: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Headers that look like ours, without our signature, choose neither who hears it nor what."""
    headers = {ID_HEADER: str(uuid4()), TYPE_HEADER: "match_proposal", VIEWS_HEADER: f'{{"{tono.pk}": {{"n": 1}}}}'}
    await nats_client.publish("match.found", json.dumps({"driver_id": str(dewi.pk)}).encode(), headers=headers)
    await until(lambda: has(dewi, 1))
    await all_is_delivered(nats_client)
    assert await told(tono.pk) == []
    [frame] = await told(dewi.pk)
    assert frame["data"] == {"driver_id": str(dewi.pk)}
    assert "1 messages claim to be ours and are not signed" in caplog.text


async def test_an_older_version_of_ours_is_believed_by_the_outbox(
    bridge: Bridge, nats_client: Client, dewi: User, tono: User
) -> None:
    """What was published before there were signatures is what the outbox says it is; anything else is a stranger's."""
    data = {"driver_id": str(dewi.pk), "n": 1}
    rows = [
        OutboxEvent(
            key="m", type="match_proposal", subject="match.found", data=data, audience={str(tono.pk): {"n": 2}},
            published_at=timezone.now(),
        )
        for _ in range(2)
    ]  # fmt: skip
    await in_write_thread(OutboxEvent.objects.bulk_create, rows)
    rows = await in_write_thread(list, OutboxEvent.objects.order_by("id"))  # as the relay reads them
    context = nats_client.jetstream()
    payload, headers = message_of(rows[0])
    await context.publish("match.found", payload.replace(b'"n":1', b'"n":9'), stream=STREAM, headers=headers)
    await until(lambda: has(dewi, 1))
    payload, headers = message_of(rows[1])
    await context.publish("match.found", payload, stream=STREAM, headers=headers)
    await until(lambda: has(tono, 1))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == [9]
    assert [frame["data"] for frame in await told(tono.pk)] == [{"n": 2}]


async def test_a_proposal_that_has_expired_on_the_way_is_not_delivered(
    bridge: Bridge, nats_client: Client, dewi: User
) -> None:
    payload = json.dumps({"driver_id": str(dewi.pk)}).encode()
    for seconds in (-1, 60):
        valid_until = (timezone.now() + timedelta(seconds=seconds)).isoformat()
        headers = {ID_HEADER: str(uuid4()), TYPE_HEADER: "match_proposal", VALID_UNTIL_HEADER: valid_until}
        headers[SIGNATURE_HEADER] = signature_of("match.found", payload, headers)
        await nats_client.publish("match.found", payload, headers=headers)
    await until(lambda: has(dewi, 1))
    await all_is_delivered(nats_client)
    assert len(await told(dewi.pk)) == 1
