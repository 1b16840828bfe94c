"""The layer between processes, on a real Valkey: two layers stand for two processes, as they share nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from channels.exceptions import ChannelFull

from common.redis import PREFIX, async_redis
from realtime.delivery.layers.redis import RedisChannelLayer, group_channel
from tests.realtime.bridge.conftest import until, until_async

TIMEOUT = 15
GROUP = "user_dewi"
NewLayer = Callable[..., RedisChannelLayer]


@pytest.fixture
async def new_layer(redis_url: str) -> AsyncIterator[NewLayer]:
    """Make layers, each of a process of its own."""
    layers: list[RedisChannelLayer] = []

    def make(**config: Any) -> RedisChannelLayer:
        layers.append(RedisChannelLayer(hosts=[redis_url], **config))
        return layers[-1]

    yield make
    for layer in layers:
        await layer.flush()


async def subscribers(group: str = GROUP) -> int:
    """Return how many connections Redis sends a group's messages to."""
    [(_, count)] = await async_redis().pubsub_numsub(group_channel(group))
    return int(count)


def are(count: int, group: str = GROUP) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return await subscribers(group) == count

    return look


async def member(layer: RedisChannelLayer, *groups: str) -> str:
    """Return a channel that hears of groups already."""
    channel: str = await layer.new_channel()
    for group in groups or (GROUP,):
        await layer.group_add(group, channel)
    return channel


async def read(layer: RedisChannelLayer, channel: str, count: int = 1) -> list[int]:
    async with asyncio.timeout(TIMEOUT):
        return [(await layer.receive(channel))["n"] for _ in range(count)]


def waiting(layer: RedisChannelLayer, channel: str) -> int:
    """Return how many messages wait in a channel."""
    return len(layer.channels[channel].messages)


async def test_a_group_hears_in_all_processes_and_nobody_else_does(new_layer: NewLayer) -> None:
    here, there = new_layer(), new_layer()
    members = [(layer, await member(layer)) for layer in (here, here, there)]
    stranger = await member(there, "user_tono")
    await until_async(are(2))
    await until_async(are(1, "user_tono"))
    for n in range(50):
        await (here, there)[n % 2].group_send(GROUP, {"type": "t", "n": n})
    for layer, channel in members:
        assert sorted(await read(layer, channel, 50)) == list(range(50))
    await here.group_send("user_tono", {"type": "t", "n": 99})
    assert await read(there, stranger) == [99]


async def test_what_one_process_sends_keeps_its_order(new_layer: NewLayer) -> None:
    here, there = new_layer(), new_layer()
    channel = await member(there)
    await until_async(are(1))
    for n in range(200):
        await here.group_send(GROUP, {"type": "t", "n": n})
    assert await read(there, channel, 200) == list(range(200))


async def test_all_connections_of_a_user_in_a_process_are_one_subscription(new_layer: NewLayer) -> None:
    layer = new_layer()
    channels = [await member(layer) for _ in range(5)]
    await until_async(are(1))
    for channel in channels[1:]:
        await layer.group_discard(GROUP, channel)
    await layer.group_send(GROUP, {"type": "t", "n": 1})
    assert await read(layer, channels[0]) == [1]
    assert [waiting(layer, channel) for channel in channels[1:]] == [0, 0, 0, 0]


async def test_nothing_is_left_in_redis_of_who_has_gone(new_layer: NewLayer) -> None:
    layer = new_layer()
    channels = [await member(layer) for _ in range(3)]
    await until_async(are(1))
    for channel in channels:
        await layer.group_discard(GROUP, channel)
        await layer.group_discard(GROUP, channel)  # twice is once
        await layer.close_channel(channel)
    await until_async(are(0))
    assert await async_redis().pubsub_channels(f"{PREFIX}*") == []
    assert await async_redis().keys("*") == []
    assert (layer.channels, layer.groups) == ({}, {})


async def test_who_comes_back_hears_again(new_layer: NewLayer) -> None:
    layer = new_layer()
    for n in range(3):
        channel = await member(layer)
        await until_async(are(1))
        await layer.group_send(GROUP, {"type": "t", "n": n})
        assert await read(layer, channel) == [n]
        await layer.group_discard(GROUP, channel)
        await layer.close_channel(channel)
        await until_async(are(0))


async def test_a_message_to_a_channel_stays_in_its_process(new_layer: NewLayer) -> None:
    here, there = new_layer(), new_layer()
    channel = await here.new_channel()
    await there.send(channel, {"type": "t", "n": 1})  # nobody's there
    await here.send(channel, {"type": "t", "n": 2})
    assert await read(here, channel) == [2]
    assert await async_redis().pubsub_channels("*") == []


async def test_a_receiver_waits_and_is_woken(new_layer: NewLayer) -> None:
    layer = new_layer()
    channel = await member(layer)
    receiving = asyncio.create_task(read(layer, channel))
    await until_async(are(1))
    assert not receiving.done()
    await layer.group_send(GROUP, {"type": "t", "n": 1})
    assert await receiving == [1]


async def test_a_full_mailbox_drops_and_counts_and_others_have_all(new_layer: NewLayer) -> None:
    small, large = new_layer(capacity=2), new_layer()
    full, roomy = await member(small), await member(large)
    await until_async(are(2))
    for n in range(5):
        await large.group_send(GROUP, {"type": "t", "n": n})
    assert await read(large, roomy, 5) == [0, 1, 2, 3, 4]
    await until(lambda: small.dropped == 3)
    with pytest.raises(ChannelFull):
        await small.send(full, {"type": "t", "n": 5})
    assert await read(small, full, 2) == [0, 1]
    assert (small.dropped, large.dropped) == (4, 0)


async def test_of_positions_one_waits_and_takes_no_room(new_layer: NewLayer) -> None:
    here, there = new_layer(), new_layer(capacity=1)
    channel = await member(there)
    await until_async(are(1))
    for n in range(100):
        await here.group_send(GROUP, {"type": "p", "latest": "dewi", "n": n})
    await here.group_send(GROUP, {"type": "t", "n": 1000})
    await here.group_send(GROUP, {"type": "p", "latest": "joko", "n": 500})
    await until(lambda: waiting(there, channel) == 3)
    assert await read(there, channel, 3) == [99, 1000, 500]
    assert there.dropped == 0


async def test_what_was_closed_takes_no_more_and_the_others_do(new_layer: NewLayer) -> None:
    layer = new_layer()
    closed, open_ = await member(layer), await member(layer)
    await until_async(are(1))
    await layer.close_channel(closed)
    await layer.close_channel(closed)
    await layer.send(closed, {"type": "t", "n": 1})
    await layer.group_send(GROUP, {"type": "t", "n": 2})
    assert await read(layer, open_) == [2]
    assert closed not in layer.channels


async def test_each_event_loop_of_a_process_has_its_own(new_layer: NewLayer) -> None:
    layer = new_layer()
    channel = await member(layer)
    await until_async(are(1))

    async def send_from_elsewhere() -> None:
        await layer.group_send(GROUP, {"type": "t", "n": 1})
        await layer.flush()

    await asyncio.to_thread(lambda: asyncio.run(send_from_elsewhere()))
    assert await read(layer, channel) == [1]


async def test_a_lost_connection_is_made_again_with_all_its_subscriptions(new_layer: NewLayer) -> None:
    layer, other = new_layer(), new_layer()
    channel = await member(layer, "user_dewi", "user_joko")
    await until_async(are(1, "user_joko"))
    assert await async_redis().client_kill_filter(_type="pubsub") == 1
    for group in ("user_dewi", "user_joko"):
        await until_async(are(1, group))
    await other.group_send("user_dewi", {"type": "t", "n": 1})
    await other.group_send("user_joko", {"type": "t", "n": 2})
    assert await read(layer, channel, 2) == [1, 2]


async def test_what_is_no_message_is_logged_and_the_next_is_heard(
    new_layer: NewLayer, caplog: pytest.LogCaptureFixture
) -> None:
    layer = new_layer()
    channel = await member(layer)
    await until_async(are(1))
    await async_redis().publish(group_channel(GROUP), b"\xc1")
    await layer.group_send(GROUP, {"type": "t", "n": 1})
    assert await read(layer, channel) == [1]
    assert "A message could not be received." in caplog.text
