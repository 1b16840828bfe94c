"""The layer between processes, on a real Valkey: two layers stand for two processes, as they share nothing else."""

import asyncio
import contextlib
import inspect
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from channels.exceptions import ChannelFull
from channels_redis import utils
from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection

from common.redis import AWAY, PREFIX, async_redis
from common.shards import redis_urls
from devservers.servers import ValkeyServer
from realtime.delivery.deliveries import Delivery
from realtime.delivery.fence import Fence, Fenced
from realtime.delivery.history.redis import RedisHistory
from realtime.delivery.layer_messages import DELIVER, group_of
from realtime.delivery.layers import redis as module
from realtime.delivery.layers.redis import EVENTS_PER_CALL, RedisChannelLayer, group_channel
from tests.patience import until, within

GROUP = "user_dewi"
DEWI = UUID(int=1)
STOCK = (RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection)
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
    async with within():
        return [(await layer.receive(channel))["n"] for _ in range(count)]


def waiting(layer: RedisChannelLayer, channel: str) -> int:
    """Return how many messages wait in a channel."""
    return len(layer.here.channels[channel].messages)


async def test_a_group_hears_in_all_processes_and_nobody_else_does(new_layer: NewLayer) -> None:
    here, there = new_layer(), new_layer()
    members = [(layer, await member(layer)) for layer in (here, here, there)]
    stranger = await member(there, "user_tono")
    await until(are(2))
    await until(are(1, "user_tono"))
    for n in range(50):
        await (here, there)[n % 2].group_send(GROUP, {"type": "t", "n": n})
    for layer, channel in members:
        assert sorted(await read(layer, channel, 50)) == list(range(50))
    await here.group_send("user_tono", {"type": "t", "n": 99})
    assert await read(there, stranger) == [99]


async def test_what_one_process_sends_keeps_its_order(new_layer: NewLayer) -> None:
    here, there = new_layer(), new_layer()
    channel = await member(there)
    await until(are(1))
    for n in range(200):
        await here.group_send(GROUP, {"type": "t", "n": n})
    assert await read(there, channel, 200) == list(range(200))


async def test_all_connections_of_a_user_in_a_process_are_one_subscription(new_layer: NewLayer) -> None:
    layer = new_layer()
    channels = [await member(layer) for _ in range(5)]
    await until(are(1))
    for channel in channels[1:]:
        await layer.group_discard(GROUP, channel)
    await layer.group_send(GROUP, {"type": "t", "n": 1})
    assert await read(layer, channels[0]) == [1]
    assert [waiting(layer, channel) for channel in channels[1:]] == [0, 0, 0, 0]


async def test_nothing_is_left_in_redis_of_who_has_gone(new_layer: NewLayer) -> None:
    layer = new_layer()
    channels = [await member(layer) for _ in range(3)]
    await until(are(1))
    for channel in channels:
        await layer.group_discard(GROUP, channel)
        await layer.group_discard(GROUP, channel)  # twice is once
        await layer.close_channel(channel)
    await until(are(0))
    assert await async_redis().pubsub_channels(f"{PREFIX}*") == []
    assert await async_redis().keys("*") == []
    assert (layer.here.channels, layer.here.groups) == ({}, {})


async def test_who_comes_back_hears_again(new_layer: NewLayer) -> None:
    layer = new_layer()
    for n in range(3):
        channel = await member(layer)
        await until(are(1))
        await layer.group_send(GROUP, {"type": "t", "n": n})
        assert await read(layer, channel) == [n]
        await layer.group_discard(GROUP, channel)
        await layer.close_channel(channel)
        await until(are(0))


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
    await until(are(1))
    assert not receiving.done()
    await layer.group_send(GROUP, {"type": "t", "n": 1})
    assert await receiving == [1]


async def test_a_full_mailbox_drops_and_counts_and_others_have_all(new_layer: NewLayer) -> None:
    small, large = new_layer(capacity=2), new_layer()
    full, roomy = await member(small), await member(large)
    await until(are(2))
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
    await until(are(1))
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
    await until(are(1))
    await layer.close_channel(closed)
    await layer.close_channel(closed)
    await layer.send(closed, {"type": "t", "n": 1})
    await layer.group_send(GROUP, {"type": "t", "n": 2})
    assert await read(layer, open_) == [2]
    assert closed not in layer.here.channels


async def test_each_event_loop_of_a_process_has_its_own(new_layer: NewLayer) -> None:
    layer = new_layer()
    channel = await member(layer)
    await until(are(1))

    async def send_from_elsewhere() -> None:
        await layer.group_send(GROUP, {"type": "t", "n": 1})
        await layer.flush()

    await asyncio.to_thread(lambda: asyncio.run(send_from_elsewhere()))
    assert await read(layer, channel) == [1]


async def test_a_lost_connection_is_made_again_with_all_its_subscriptions(new_layer: NewLayer) -> None:
    layer, other = new_layer(), new_layer()
    channel = await member(layer, "user_dewi", "user_joko")
    await until(are(1, "user_joko"))
    assert await async_redis().client_kill_filter(_type="pubsub") == 1
    for group in ("user_dewi", "user_joko"):
        await until(are(1, group))
    await other.group_send("user_dewi", {"type": "t", "n": 1})
    await other.group_send("user_joko", {"type": "t", "n": 2})
    assert await read(layer, channel, 2) == [1, 2]


async def test_what_is_no_message_is_logged_and_the_next_is_heard(
    new_layer: NewLayer, caplog: pytest.LogCaptureFixture
) -> None:
    layer = new_layer()
    channel = await member(layer)
    await until(are(1))
    await async_redis().publish(group_channel(GROUP), b"\xc1")
    await layer.group_send(GROUP, {"type": "t", "n": 1})
    assert await read(layer, channel) == [1]
    assert "could not be decoded" in caplog.text


def delivery(event_id: str) -> Delivery:
    return Delivery(event_id, "t", b"{}", {DEWI: None})


async def heads() -> list[int]:
    return (await RedisHistory().heads([DEWI]))[1]


async def test_a_batch_of_any_size_arrives_in_order(new_layer: NewLayer) -> None:
    """What the script publishes is read like any other message of the layer."""
    here, there, count = new_layer(), new_layer(), 2 * EVENTS_PER_CALL + 1
    channel = await member(there, group_of(DEWI))
    await until(are(1, group_of(DEWI)))
    await here.deliver_batch([delivery(f"e{n}") for n in range(count)])
    async with within():
        messages = [await there.receive(channel) for _ in range(count)]
    assert [message["seq"] for message in messages] == list(range(1, count + 1))
    assert messages[0] == {
        "type": DELIVER, "epoch": (await RedisHistory().read(DEWI)).epoch, "seq": 1, "event": "t",
        "frame": '{"type":"t","data":{},"seq":1}', "at": 0,
    }  # fmt: skip


async def test_who_does_not_hold_the_lease_delivers_nothing(new_layer: NewLayer) -> None:
    layer = new_layer()
    await async_redis().set("lease", "another")
    with pytest.raises(Fenced):
        await layer.deliver_batch([delivery("e")], Fence("lease", "mine", "position", 7))
    assert await async_redis().get("position") is None
    assert await heads() == [0]
    await async_redis().set("lease", "mine")
    await layer.deliver_batch([delivery("e")], Fence("lease", "mine", "position"))
    assert await async_redis().get("position") is None
    many = [delivery(f"f{n}") for n in range(EVENTS_PER_CALL + 1)]
    await layer.deliver_batch(many, Fence("lease", "mine", "position", 7))
    assert await async_redis().get("position") == b"7"
    await layer.deliver_batch([], Fence("lease", "mine", "position", 8))
    assert await async_redis().get("position") == b"8"


async def test_a_server_that_forgot_the_script_is_sent_it_again(new_layer: NewLayer) -> None:
    layer = new_layer()
    await layer.deliver_batch([delivery("e")])
    await async_redis().script_flush()
    await layer.deliver_batch([delivery("f")])
    assert await heads() == [2]


async def test_the_connections_of_a_loop_end_with_it(new_layer: NewLayer) -> None:
    """A short-lived loop, as the admin's is, leaves nothing open."""
    layer = new_layer()

    async def send_from_elsewhere() -> None:
        channel = await member(layer)
        await layer.group_send(GROUP, {"type": "t", "n": 1})
        assert await read(layer, channel) == [1]

    before = len(await async_redis().client_list())
    await asyncio.to_thread(lambda: asyncio.run(send_from_elsewhere()))
    await until(are(0))
    assert len(await async_redis().client_list()) == before


def test_nothing_private_of_channels_redis_is_used() -> None:
    """An upgrade may change what begins with an underscore; what is used of the rest is what its README shows."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    private = {name for kind in STOCK for name in vars(kind) if name.startswith("_") and not name.startswith("__")}
    private |= {"_shards", "_layers", "_args", "_kwargs", "_subscribed_to", "_pubsub", "_redis", "_receive_task"}
    private |= {name for name in vars(utils) if name.startswith("_") and not name.startswith("__")}
    assert not {name for name in private if re.search(rf"\b{name}\b", source)}


def test_an_upgrade_that_changes_what_is_used_is_noticed() -> None:
    """The public names that the layer of a loop builds on, with their arguments."""
    used = {
        "group_add": ["group", "channel"],
        "group_discard": ["group", "channel"],
        "group_send": ["group", "message"],
    }
    for name, arguments in {**used, "flush": []}.items():
        found = list(inspect.signature(getattr(RedisPubSubLoopLayer, name)).parameters)[1:]
        assert found == arguments, f"channels_redis changed {name}{tuple(found)}: see realtime/delivery/layers/redis.py"
    layer = RedisPubSubLoopLayer([{"address": "redis://127.0.0.1"}], prefix="p", channel_layer=None)
    for name in ("channels", "groups", "prefix", "channel_layer"):
        assert hasattr(layer, name), f"channels_redis has no {name} any more: see realtime/delivery/layers/redis.py"


async def test_after_an_outage_messages_come_again(
    tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The outage is a line, and no traceback for every second of it."""
    with ValkeyServer(tmp_path, appendonly=False) as valkey:
        layer = RedisChannelLayer(hosts=[valkey.url])
        channel = await member(layer)
        valkey.kill()
        await until(lambda: "Nothing is received from Redis, retrying: " in caplog.text)
        valkey.start()

        async def is_received() -> bool:
            with contextlib.suppress(*AWAY):
                await layer.group_send(GROUP, {"type": "t", "n": 1})
            return bool(waiting(layer, channel))

        await until(is_received)
        await layer.flush()
    assert "Traceback" not in caplog.text


def test_a_lasting_outage_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """channels_redis logs a traceback every second; other errors keep theirs."""
    log = logging.getLogger("channels_redis.pubsub")
    log.addFilter(only_one := module.OneLine())
    for error in [*[AWAY[0]("gone")] * 5, ValueError("a bug")]:
        try:
            raise error
        except Exception:
            log.exception("Unexpected exception in receive task")
    log.removeFilter(only_one)
    assert [record.getMessage() for record in caplog.records] == [
        "Nothing is received from Redis, retrying: gone", "Unexpected exception in receive task"
    ]  # fmt: skip
    assert caplog.text.count("Traceback") == 1


async def test_a_group_is_on_the_shard_of_its_user(two_shards: None) -> None:
    """What is sent to a group, and what is delivered, reaches it there, and nobody hears of another's."""
    here, there = (RedisChannelLayer(hosts=redis_urls()) for _ in range(2))
    people = [UUID(int=number) for number in range(1, 9)]
    channels = [await member(here, group_of(person)) for person in people]
    counts = [len(await async_redis(shard).pubsub_channels(f"{PREFIX}*")) for shard in (0, 1)]
    assert sum(counts) == len(people)
    assert min(counts) > 0
    for number, person in enumerate(people):
        await there.group_send(group_of(person), {"type": "t", "n": number})
    assert [await read(here, channel) for channel in channels] == [[number] for number in range(len(people))]
    await there.deliver_batch(
        [Delivery("e", "t", b"{}", dict.fromkeys(people)), Delivery("f", "t", b"{}", {people[0]: None})]
    )
    for person, channel in zip(people, channels, strict=True):
        count = 2 if person == people[0] else 1
        async with within():
            assert [(await here.receive(channel))["seq"] for _ in range(count)] == [1, 2][:count]
        assert not waiting(here, channel)
        assert (await RedisHistory().read(person)).head == count
    epochs = [(await RedisHistory().read(person)).epoch for person in people]
    assert len(set(epochs)) == 2
    await there.deliver_batch([], after_gap=True)
    after = [(await RedisHistory().read(person)).epoch for person in people]
    assert not set(epochs) & set(after)
    for person, channel in zip(people, channels, strict=True):
        await here.group_discard(group_of(person), channel)
    for layer in (here, there):
        await layer.flush()
    assert await async_redis(1).pubsub_channels(f"{PREFIX}*") == []
