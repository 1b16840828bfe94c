import asyncio
import threading

import pytest
from channels.exceptions import ChannelFull

from realtime.delivery.layers.memory import InProcessChannelLayer
from tests.patience import within


async def read_all(layer: InProcessChannelLayer, channel: str) -> list[int]:
    found = []
    while layer._mailboxes[channel].messages:
        found.append((await layer.receive(channel))["n"])
    return found


async def test_a_message_comes_to_its_channel_in_order() -> None:
    layer = InProcessChannelLayer()
    channel = await layer.new_channel()
    for n in range(3):
        await layer.send(channel, {"type": "t", "n": n})
    assert await read_all(layer, channel) == [0, 1, 2]


async def test_a_receiver_waits_and_is_woken() -> None:
    layer = InProcessChannelLayer()
    channel = await layer.new_channel()
    waiting = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0)
    await layer.send(channel, {"type": "t"})
    async with within():
        assert await waiting == {"type": "t"}


async def test_a_group_reaches_its_members_only() -> None:
    layer = InProcessChannelLayer()
    a, b, c = [await layer.new_channel() for _ in range(3)]
    for channel in (a, b, c):
        await layer.group_add("g", channel)
    await layer.group_discard("g", c)
    await layer.group_send("g", {"type": "t", "n": 1})
    await layer.group_send("nobody", {"type": "t", "n": 2})
    assert [await read_all(layer, channel) for channel in (a, b, c)] == [[1], [1], []]


async def test_a_full_mailbox_drops_and_counts() -> None:
    layer = InProcessChannelLayer(capacity=2)
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    for n in range(4):
        await layer.group_send("g", {"type": "t", "n": n})
    with pytest.raises(ChannelFull):
        await layer.send(channel, {"type": "t", "n": 4})
    assert await read_all(layer, channel) == [0, 1]
    assert layer.dropped == 3


async def test_of_what_only_matters_as_the_latest_one_waits_and_takes_no_room() -> None:
    layer = InProcessChannelLayer(capacity=1)
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    for n in range(100):
        await layer.group_send("g", {"type": "p", "latest": "dewi", "n": n})
    await layer.group_send("g", {"type": "t", "n": 1000})
    await layer.group_send("g", {"type": "p", "latest": "joko", "n": 500})
    assert await read_all(layer, channel) == [99, 1000, 500]
    await layer.group_send("g", {"type": "p", "latest": "dewi", "n": 7})
    assert await read_all(layer, channel) == [7]
    assert layer.dropped == 0


async def test_a_message_may_come_from_another_thread() -> None:
    layer = InProcessChannelLayer()
    channel = await layer.new_channel()
    waiting = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0)
    sender = threading.Thread(target=lambda: asyncio.run(layer.send(channel, {"type": "t"})))
    sender.start()
    async with within():
        assert await waiting == {"type": "t"}
    sender.join()


async def test_nothing_is_left_of_what_was_closed() -> None:
    layer = InProcessChannelLayer()
    for _ in range(10):
        channel = await layer.new_channel()
        await layer.group_add("g", channel)
        await layer.group_discard("g", channel)
        await layer.close_channel(channel)
    assert not layer._mailboxes
    assert not layer._groups
    await layer.group_discard("g", "nobody")
    await layer.group_add("g", "somebody")
    await layer.flush()
    assert not layer._groups
