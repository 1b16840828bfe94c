"""How far the stream is delivered, on real NATS and Valkey."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig

from common.redis import async_redis
from events.stream import DURABLE, STREAM, ensure_stream
from realtime.bridge.position import Position, StreamReplaced
from realtime.bridge.status import position_key, stream_id
from realtime.delivery.fence import NotActive


async def test_the_further_of_redis_and_the_acknowledgements_counts(distributed: None, nats_client: Client) -> None:
    context = nats_client.jetstream()
    info = await ensure_stream(context)
    assert (await Position.load(context, info)).sequence == 0
    for _ in range(5):
        await context.publish("match.found", b"{}")
    await context.add_consumer(STREAM, ConsumerConfig(durable_name=DURABLE, ack_policy=AckPolicy.EXPLICIT))
    subscription = await context.pull_subscribe_bind(DURABLE, STREAM)
    for message in await subscription.fetch(2):
        await message.ack_sync()
    info = await context.stream_info(STREAM)
    position = await Position.load(context, info)
    assert (position.sequence, position.is_certain) == (2, False)
    await async_redis().set(position.key, 4)
    position = await Position.load(context, info)
    assert (position.sequence, position.is_certain) == (4, True)


async def test_a_stream_that_lost_its_end_is_no_further(distributed: None, nats_client: Client) -> None:
    """After a power cut NATS gives the same sequences to other messages: they must be delivered too."""
    context = nats_client.jetstream()
    info = await ensure_stream(context)
    await async_redis().set(position_key(stream_id(info)), 100)
    position = await Position.load(context, info)
    assert (position.sequence, position.is_certain) == (0, False)


async def test_a_position_says_nothing_of_another_stream(distributed: None, nats_client: Client) -> None:
    context = nats_client.jetstream()
    position = await Position.load(context, await ensure_stream(context))
    position.check(await context.stream_info(STREAM))
    await context.delete_stream(STREAM)
    with pytest.raises(StreamReplaced):
        position.check(await ensure_stream(context))
    assert issubclass(StreamReplaced, NotActive)


async def test_who_waits_for_a_sequence_is_woken_at_it() -> None:
    position = Position("S:1", 3)
    await position.wait_for(3)
    waiting = asyncio.create_task(position.wait_for(5))
    await asyncio.sleep(0)
    await position.move_to(4)
    await position.move_to(2)  # it never goes back
    assert position.sequence == 4
    assert not waiting.done()
    await position.move_to(6)
    await waiting
