"""Asking a real NATS for messages."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from events.stream import DURABLE, STREAM, ensure_stream
from realtime.bridge import pull as module
from realtime.bridge.pull import Pull, PullBroken
from tests.patience import TIMEOUT, until, within


async def open_pull(client: Client, batch: int = 10) -> Pull:
    """Make the stream and the consumer, and ask for messages."""
    await ensure_stream(client.jetstream())
    config = ConsumerConfig(durable_name=DURABLE, ack_policy=AckPolicy.EXPLICIT)
    await client.jetstream().add_consumer(STREAM, config)
    pull = Pull(client, batch)
    await pull.open()
    return pull


async def publish(client: Client, *numbers: int) -> None:
    for number in numbers:
        await client.jetstream().publish("match.found", str(number).encode())


def numbers_of(messages: list[Msg]) -> list[int]:
    return [int(message.data) for message in messages]


async def read(pull: Pull, count: int, batch: int) -> list[int]:
    """Return so many messages, of batches that are never too large."""
    found: list[int] = []
    async with within():
        while len(found) < count:
            messages = await pull.next(1.0)
            assert len(messages) <= batch
            found += numbers_of(messages)
    return found


@pytest.mark.parametrize("batch", [1, 7, 50])
async def test_everything_comes_in_order_in_batches(nats_client: Client, batch: int) -> None:
    await ensure_stream(nats_client.jetstream())
    await publish(nats_client, *range(30))  # were there before
    pull = await open_pull(nats_client, batch)
    assert await read(pull, 30, batch) == list(range(30))
    await publish(nats_client, *range(30, 60))
    assert await read(pull, 30, batch) == list(range(30, 60))


async def test_what_has_arrived_is_a_batch_however_small(nats_client: Client) -> None:
    pull = await open_pull(nats_client)
    receiving = asyncio.create_task(pull.next(TIMEOUT))
    await publish(nats_client, 1)
    assert numbers_of(await receiving) == [1]


async def test_where_nothing_comes_the_batch_is_empty(nats_client: Client) -> None:
    pull = await open_pull(nats_client)
    assert await pull.next(0.01) == []
    await publish(nats_client, 1)
    assert await read(pull, 1, 10) == [1]


async def test_who_waits_can_be_woken(nats_client: Client) -> None:
    pull = await open_pull(nats_client)
    receiving = asyncio.create_task(pull.next(3600))
    await asyncio.sleep(0)
    pull.wake()
    assert await receiving == []


async def test_a_request_whose_time_is_over_is_followed_by_another(
    nats_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_EXPIRES", 0.02)
    pull = await open_pull(nats_client)
    for number in range(5):
        assert await pull.next(TIMEOUT) == []  # it is over
        await publish(nats_client, number)
        assert await read(pull, 1, 10) == [number]


async def test_the_end_of_a_request_does_not_hide_what_came_before(
    nats_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_EXPIRES", 0.02)
    pull = await open_pull(nats_client, batch=100)
    await publish(nats_client, *range(20))
    assert await read(pull, 20, 100) == list(range(20))
    assert await read_nothing_more(pull)


async def read_nothing_more(pull: Pull) -> bool:
    return await pull.next(0.1) == []


async def test_when_the_consumer_is_deleted_the_pull_is_broken(nats_client: Client) -> None:
    pull = await open_pull(nats_client)
    await until(lambda: _somebody_waits(nats_client))
    await nats_client.jetstream().delete_consumer(STREAM, DURABLE)
    with pytest.raises(PullBroken, match=r"409 .*Consumer Deleted"):
        await pull.next(TIMEOUT)


async def test_when_nothing_is_heard_at_all_the_pull_is_broken(
    nats_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.0)
    pull = await open_pull(nats_client)
    with pytest.raises(PullBroken, match="the server does not answer"):
        await pull.next(0.01)


async def test_who_has_closed_hears_no_more_and_may_close_again(nats_client: Client) -> None:
    pull = await open_pull(nats_client)
    await until(lambda: _somebody_waits(nats_client))
    await pull.close()
    await publish(nats_client, 1)
    assert await pull.next(0.01) == []
    assert not await _somebody_waits(nats_client)


async def _somebody_waits(client: Client) -> bool:
    return bool((await client.jetstream().consumer_info(STREAM, DURABLE)).num_waiting)


async def test_a_pull_can_be_closed_that_was_never_opened_or_whose_connection_has_gone(nats_client: Client) -> None:
    await Pull(nats_client, 1).close()
    pull = await open_pull(nats_client)
    await nats_client.close()
    await pull.close()


async def test_nothing_is_skipped_that_another_has_taken(nats_client: Client) -> None:
    """A bridge that was stopped for a while may still have a request with the server."""
    pull = await open_pull(nats_client)
    other = Pull(nats_client, 10)
    await other.open()
    await publish(nats_client, *range(20))
    for asker in (pull, other):
        found: list[int] = []
        with pytest.raises(PullBroken, match="is missing"):
            await read_into(found, asker)
        assert found == list(range(len(found)))


async def read_into(found: list[int], pull: Pull) -> None:
    while True:
        found += numbers_of(await pull.next(TIMEOUT))
