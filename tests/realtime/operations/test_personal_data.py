from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone
from nats.aio.client import Client
from nats.js.api import ConsumerConfig

from common.redis import PREFIX, sync_redis
from common.threads import in_write_thread
from events.stream import DURABLE, STREAM, ensure_stream
from realtime.delivery.history import Cursor, history
from realtime.delivery.history.memory import MemoryHistory
from realtime.models import CommandReceipt
from realtime.operations.personal_data import RealtimeData
from tests.cast import arrive, connect
from users.models import User

DATA = RealtimeData()


def test_stored_answers_and_notifications_go(putri: User, dewi: User) -> None:
    """Those of others stay."""
    kept = history()
    assert isinstance(kept, MemoryHistory)
    for user in (putri, dewi):
        kept.append(user.pk, str(uuid4()), '{"type":"x"')
        CommandReceipt.objects.create(
            user=user, command_id="1", type="sync", digest="", answer={}, created_at=timezone.now()
        )
    list(DATA.erase_rest(putri.pk))
    assert CommandReceipt.objects.get().user == dewi
    assert async_to_sync(kept.read)(putri.pk).head == 0
    assert async_to_sync(kept.read)(dewi.pk).head == 1


def test_the_connection_is_given_out(putri: User) -> None:
    """While there is one."""
    assert DATA.export(putri) == {"connection": None}
    connect(putri)
    assert set(DATA.export(putri)["connection"]) == {"address", "since"}


@pytest.mark.django_db(transaction=True)
async def test_redis_and_the_stream_forget(distributed: None, nats_client: Client, settings: Any) -> None:
    """Keys that name the person, and delivered messages that do; what is yet to be delivered stays."""
    who, other = uuid4(), uuid4()
    for user in (who, other):
        sync_redis().set(f"{PREFIX}place:{user}", "x")
    context = nats_client.jetstream()
    await ensure_stream(context)
    await context.add_consumer(STREAM, ConsumerConfig(durable_name=DURABLE, ack_policy="explicit"))  # type: ignore[arg-type]
    for number, user in enumerate((who, other, who)):
        await context.publish("ride.pickup", f'{{"driver_id": "{user}", "n": {number}}}'.encode(), stream=STREAM)
    bridge = await context.pull_subscribe_bind(DURABLE, STREAM)
    for message in await bridge.fetch(2):
        await message.ack_sync()
    await in_write_thread(lambda: list(DATA.erase_rest(who)))
    assert not sync_redis().exists(f"{PREFIX}place:{who}")
    assert sync_redis().exists(f"{PREFIX}place:{other}")
    state = (await context.stream_info(STREAM)).state
    assert state.messages == 2
    assert b'"n": 2' in ((await context.get_msg(STREAM, 3)).data or b"")


def test_others_are_not_told_again_of_who_has_left(dewi: User, putri: User, tono: User) -> None:
    """Their notifications carry the name; they get the state instead, and their numbers go on."""
    arrive(dewi, putri)
    kept = history()
    assert isinstance(kept, MemoryHistory)
    for user in (dewi, tono):
        kept.append(user.pk, str(uuid4()), '{"type":"x","data":{"passenger":{"full_name":"Putri"}}')
    list(DATA.erase_rest(putri.pk))
    readings = [async_to_sync(kept.read)(user.pk, Cursor(kept.epoch, 0)) for user in (dewi, tono)]
    assert [(one.head, one.missed is None) for one in readings] == [(1, True), (1, False)]
