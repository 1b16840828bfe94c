"""What a bridge says of its lag, on real NATS and Valkey."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig

from common.redis import async_redis
from common.threads import in_read_thread, in_write_thread
from events.models import OutboxEvent
from events.stream import DURABLE, STREAM, ensure_stream
from realtime.bridge.bridge import Bridge
from realtime.bridge.status import Status, position_key, read_status, report_status, report_trouble, stream_id
from tests.patience import until


async def test_nothing_is_known_before_a_bridge_was_at_work(distributed: None, nats_client: Client) -> None:
    await report_status(nats_client.jetstream())
    assert read_status() == Status(is_active=False, lag=None)
    await ensure_stream(nats_client.jetstream())
    await report_status(nats_client.jetstream())
    assert read_status() == Status(is_active=False, lag=None)


async def test_the_lag_is_what_is_in_the_stream_and_not_delivered(distributed: None, nats_client: Client) -> None:
    context = nats_client.jetstream()
    info = await ensure_stream(context)
    await context.add_consumer(STREAM, ConsumerConfig(durable_name=DURABLE))
    await report_status(context)
    assert read_status().lag == 0
    for _ in range(5):
        await context.publish("match.found", b"{}")
    await report_status(context)
    assert read_status().lag == 5
    await async_redis().set(position_key(stream_id(info)), 3)
    await report_status(context)
    assert read_status().lag == 2
    await context.purge_stream(STREAM)  # what nobody can deliver any more is not waited for
    await report_status(context)
    assert read_status().lag == 0


async def test_standing_still_is_said(distributed: None, nats_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that wait are no trouble while others are delivered."""
    context = nats_client.jetstream()
    info = await ensure_stream(context)
    await context.add_consumer(STREAM, ConsumerConfig(durable_name=DURABLE))
    now = time.monotonic()

    async def stuck(seconds: float) -> float:
        monkeypatch.setattr("realtime.bridge.status.time.monotonic", lambda: now + seconds)
        await report_status(context)
        return read_status().stuck

    assert await stuck(0) == 0
    for _ in range(5):
        await context.publish("match.found", b"{}")
    assert [await stuck(seconds) for seconds in (1, 2, 9)] == [1, 2, 9]
    await async_redis().set(position_key(stream_id(info)), 3)
    assert [await stuck(seconds) for seconds in (10, 12)] == [0, 2]
    await async_redis().set(position_key(stream_id(info)), 5)
    assert await stuck(20) == 0


async def test_the_trouble_of_the_active_bridge_ends(distributed: None, nats_client: Client) -> None:
    await report_trouble("NATS: maximum messages exceeded")
    assert read_status().trouble == "NATS: maximum messages exceeded"
    await report_trouble("")
    assert read_status().trouble == ""


@pytest.mark.django_db(transaction=True)
async def test_a_stream_that_takes_nothing_is_named(bridge: Bridge, nats_client: Client) -> None:
    context = nats_client.jetstream()
    await context.publish("match.found", b"{}")
    info = await context.stream_info(STREAM)
    await context.update_stream(info.config.evolve(max_msgs=1, discard="new"))
    row = OutboxEvent(key="k", type="t", subject="match.found", data={}, audience={})
    await in_write_thread(row.save)

    async def trouble() -> str:
        return (await in_read_thread(read_status)).trouble

    await until(trouble)
    assert "maximum messages exceeded" in await trouble()
    await context.update_stream(info.config.evolve(max_msgs=-1))

    async def is_over() -> bool:
        return not await trouble()

    await until(is_over)


@pytest.mark.django_db(transaction=True)
async def test_a_bridge_at_work_says_so_and_that_it_has_delivered_all(bridge: Bridge, nats_client: Client) -> None:
    await nats_client.jetstream().publish("match.found", b"{}")

    async def is_done() -> bool:
        return await in_read_thread(read_status) == Status(is_active=True, lag=0)

    await until(is_done)


def test_a_stream_that_was_made_anew_is_another_one() -> None:
    made = [SimpleNamespace(created=datetime(2026, 1, 1, microsecond=moment, tzinfo=UTC)) for moment in (1, 2)]
    one, other = map(stream_id, made)  # type: ignore[arg-type]
    assert one != other
    assert one.startswith(f"{STREAM}:")
