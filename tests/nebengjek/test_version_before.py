"""Two versions beside each other: what the one before writes is read, and what this one writes has what that one reads.

The texts here are what a version wrote that is out: they are not to be changed with the code. The whole of it, with the
real code of an older version, is `python -m tests.stress.rolling --from COMMIT`.
"""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import UUID

import pytest
from channels.layers import get_channel_layer
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import StateApps
from django.utils import timezone
from nats.aio.client import Client
from nats.aio.msg import Msg

from common.redis import sync_redis
from events.models import OutboxEvent
from realtime.bridge.reading import read_message
from realtime.delivery.deliver import deliver
from realtime.delivery.history import Cursor, history
from realtime.delivery.layer_messages import group_of
from rides.models import Ride
from rides.positions import positions
from rides.services.payments import payment_process
from tests.cast import arrive
from tests.patience import within
from tests.realtime.phone import Phone
from users.models import User
from users.presence import presence

OURS = ("events", "users", "rides", "realtime")
FILLED = {"events_outboxevent", "rides_ride", "rides_match", "rides_finder", "rides_payment", "rides_ledgerentry"}

SIGNED_BY_IT = {
    "Nats-Msg-Id": "5e4d7f8a-0000-4000-8000-000000000001",
    "Nebengjek-Type": "match_rejected",
    "Nebengjek-Valid-Until": "2031-01-31T12:00:00+00:00",
    "Nebengjek-Views": '{"00000000-0000-4000-8000-00000000000d":null,'
    '"00000000-0000-4000-8000-00000000000f":{"match_id":"m"}}',
    "Nebengjek-Signature": "d000af3ce818aabff7d4d91ab5b2b2446b0e3a87e80e9e57ca2901e59ee071af",
}
ITS_KEY = "a key of the version before, long enough"
ITS_DELIVERY = {"type": str, "epoch": str, "seq": int, "event": str, "frame": str, "at": float}
"""What it reads of a message on the channel layer."""

TRACED = f"00-{'ab' * 16}-{'cd' * 8}-01"


def models_before() -> StateApps:
    """The models of each app as they were before its newest migration."""
    loader = MigrationLoader(connection)
    nodes = []
    for app in OURS:
        [leaf] = loader.graph.leaf_nodes(app)
        nodes += [node.key for node in loader.graph.node_map[leaf].parents if node.key[0] == app] or [leaf]
    others = [key for key in loader.graph.leaf_nodes() if key[0] not in OURS]
    return loader.project_state([*nodes, *others]).apps


@pytest.mark.django_db
def test_rows_without_the_newest_columns_are_good_ones(dewi: User, putri: User) -> None:
    """The database fills what the version before does not know, and this version reads it; the books still add up."""
    ride = arrive(dewi, putri, tracked_km=1)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=ride.adjusted_cost, status="ACCEPTED")
    written = set()
    for model in models_before().get_models():
        rows: Any = model._default_manager.all()
        if model._meta.app_label not in OURS or model._meta.proxy or not model._meta.managed:
            continue
        if model._meta.auto_created or not (kept := list(rows)):
            continue
        with transaction.atomic():
            rows._raw_delete(rows.db)
            model._default_manager.bulk_create(kept)
        written.add(model._meta.db_table)
    assert written >= FILLED
    call_command("audit")
    assert Ride.objects.get().status == "COMPLETED"
    assert [event.traceparent for event in OutboxEvent.objects.all()] == [""] * OutboxEvent.objects.count()


def test_its_messages_in_nats_are_ours(settings: Any) -> None:
    """By the signature over the same headers, and with what each person sees."""
    settings.SECRET_KEY = ITS_KEY
    reply = "$JS.ACK.NEBENGJEK.bridge.1.7.7.1700000000000000000.0"
    read = read_message(Msg(Client(), "match.rejected", reply, b'{"match_id":"m"}', SIGNED_BY_IT), "S:1")
    assert read is not None
    assert read.is_ours
    driver, passenger = (UUID(f"00000000-0000-4000-8000-00000000000{end}") for end in "df")
    assert read.delivery.audience == {driver: None, passenger: b'{"match_id":"m"}'}
    assert read.delivery.traceparent == ""


@pytest.mark.django_db(transaction=True)
async def test_its_message_on_the_layer_reaches_a_socket(dewi: User) -> None:
    """A bridge of the version before delivers to a web process of this one."""
    phone = await Phone.of(dewi)
    seq = phone.ready["seq"] + 1
    frame = f'{{"type":"ride_pickup","data":{{}},"seq":{seq}}}'
    delivery = {"epoch": phone.ready["epoch"], "seq": seq, "event": "ride_pickup", "frame": frame, "at": 0}
    await get_channel_layer().group_send(group_of(dewi.pk), {"type": "event.deliver", **delivery})
    assert await phone.next("ride_pickup") == json.loads(frame)
    await phone.hang_up()


@pytest.mark.parametrize("traceparent", ["", TRACED], ids=["untraced", "traced"])
async def test_it_can_read_what_is_on_the_layer(traceparent: str) -> None:
    """What is delivered has what it looks for."""
    await assert_it_can_read(traceparent)


@pytest.mark.parametrize("traceparent", ["", TRACED], ids=["untraced", "traced"])
async def test_it_can_read_what_is_on_the_layer_of_many(distributed: None, traceparent: str) -> None:
    """A bridge of this version delivers to a web process of the version before, over Redis."""
    await assert_it_can_read(traceparent)


async def assert_it_can_read(traceparent: str) -> None:
    layer, user = get_channel_layer(), UUID(int=77)
    channel = await layer.new_channel()
    await layer.group_add(group_of(user), channel)
    event = OutboxEvent(
        type="ride_pickup", subject="ride.pickup", data={}, audience={str(user): None}, traceparent=traceparent,
        created_at=timezone.now(),
    )  # fmt: skip
    await deliver([event])
    async with within():
        message = await layer.receive(channel)
    assert {name: type(message.get(name)) for name in ITS_DELIVERY} == ITS_DELIVERY
    assert (message.get("trace") or "") == traceparent
    await layer.group_discard(group_of(user), channel)


async def test_its_records_in_redis_are_read(distributed: None, settings: Any) -> None:
    """Connections, places and histories that a process of the version before has written."""
    user = UUID(int=77)
    record = {"connection_id": str(UUID(int=1)), "user_id": str(user), "role": "driver", "process": "web:7:ab"}
    more = {"address": "10.0.0.1", "session": 0, "since": 1.5, "heard": 2.5, "noted": 2.5}
    redis, now = sync_redis(), time.time()
    redis.set(f"nebengjek:connection:{user}", b"1700000000000001 " + json.dumps({**record, **more}).encode())
    redis.zadd("nebengjek:connected", {str(user): now})
    redis.set(f"nebengjek:place:{user}", json.dumps([-6.1754, 106.8272, now, True]))
    [connected] = presence().everyone()
    assert (connected.session, connected.role, connected.process) == (1700000000000001, "driver", "web:7:ab")
    place = positions().last(user)
    assert place is not None
    assert place.online
    epoch = (await history().read(user)).epoch
    redis.set(f"nebengjek:head:{user}", 1)
    redis.sadd("nebengjek:numbered", str(user))
    redis.rpush(f"nebengjek:frames:{user}", '{"type":"ride_pickup","data":{},"seq":1}')
    reading = await history().read(user, Cursor(epoch, 0))
    assert reading.missed is not None
    assert [item.frame for item in reading.missed] == ['{"type":"ride_pickup","data":{},"seq":1}']
