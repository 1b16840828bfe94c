import json
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer
from django.utils import timezone

from events.models import OutboxEvent
from realtime.delivery.deliver import deliver
from realtime.delivery.deliveries import Delivery
from realtime.delivery.history import Cursor, history
from realtime.delivery.layer_messages import DELIVER, REVOKE, group_of

A, B = UUID(int=1), UUID(int=2)


async def mailbox(user_id: UUID) -> str:
    channel: str = await get_channel_layer().new_channel()
    await get_channel_layer().group_add(group_of(user_id), channel)
    return channel


def event(number: int, **fields: Any) -> OutboxEvent:
    values = {"type": "ride_start", "data": {"n": number}, "audience": {str(A): None, str(B): None}}
    return OutboxEvent(event_id=UUID(int=number), created_at=timezone.now(), **{**values, **fields})


async def test_everybody_of_the_audience_is_told_in_his_own_count() -> None:
    await get_channel_layer().deliver_batch([Delivery("earlier", "x", b"{}", {B: None})])
    first, second = await mailbox(A), await mailbox(B)
    await deliver([event(1)])
    for channel, seq in ((first, 1), (second, 2)):
        message = await get_channel_layer().receive(channel)
        assert (message["type"], message["seq"], message["epoch"]) == (DELIVER, seq, (await history().read(A)).epoch)
        assert json.loads(message["frame"]) == {"type": "ride_start", "data": {"n": 1}, "seq": seq}


async def test_recipients_may_see_different_data() -> None:
    first, second = await mailbox(A), await mailbox(B)
    await deliver([event(1, audience={str(A): None, str(B): {"n": "less"}})])
    frames = [json.loads((await get_channel_layer().receive(channel))["frame"]) for channel in (first, second)]
    assert [frame["data"]["n"] for frame in frames] == [1, "less"]


async def test_a_repetition_keeps_its_number() -> None:
    channel = await mailbox(A)
    await deliver([event(1), event(2)])
    await deliver([event(1), event(2)])
    assert [(await get_channel_layer().receive(channel))["seq"] for _ in range(4)] == [1, 2, 1, 2]


async def test_who_is_not_connected_finds_it_in_the_history() -> None:
    await deliver([event(1)])
    epoch = (await history().read(A)).epoch
    missed = (await history().read(A, Cursor(epoch, 0))).missed
    assert missed is not None
    assert [item.seq for item in missed] == [1]


async def test_a_revocation_is_no_notification() -> None:
    channel = await mailbox(A)
    await deliver([event(1, type="", subject="user.revoked", data={"token_version": 4}, audience={str(A): None})])
    assert await get_channel_layer().receive(channel) == {"type": REVOKE, "token_version": 4}
    assert (await history().read(A)).head == 0


async def test_what_is_for_other_services_reaches_no_socket() -> None:
    """An event without a frame that revokes nothing ends here; what follows is delivered."""
    channel = await mailbox(A)
    await deliver([event(1, type="", subject="user.unreachable", audience={str(A): None}), event(2)])
    assert json.loads((await get_channel_layer().receive(channel))["frame"])["data"] == {"n": 2}
    assert (await history().read(A)).head == 1
