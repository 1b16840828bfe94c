"""A bridge within the test's own event loop, on real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from common.nats import connect_to_nats
from common.threads import in_read_thread
from events.models import DeadLetter
from events.stream import DURABLE, STREAM
from realtime.bridge.bridge import Bridge
from realtime.bridge.counts import Counts
from realtime.bridge.parts import Share, parts
from realtime.delivery.history import Cursor, history
from tests.patience import until
from users.models import User


@asynccontextmanager
async def running_bridge() -> AsyncIterator[Bridge]:
    """Run a bridge, and let it stop in its own way."""
    client = await connect_to_nats("bridge")
    bridge = Bridge(client)
    work = asyncio.create_task(bridge.run())
    try:
        yield bridge
    finally:
        bridge.stop()
        await work
        await client.close()


@asynccontextmanager
async def running_bridges() -> AsyncIterator[list[Bridge]]:
    """Run all parts of a bridge in one process."""
    client = await connect_to_nats("bridge")
    share, counts = Share(), Counts()
    bridges = [Bridge(client, counts, part, share) for part in parts()]
    works = [asyncio.create_task(bridge.run()) for bridge in bridges]
    try:
        yield bridges
    finally:
        for bridge in bridges:
            bridge.stop()
        await asyncio.gather(*works)
        await client.close()


@pytest.fixture
async def bridge(distributed: None, transactional_db: None, nats_client: Client) -> AsyncIterator[Bridge]:
    """A running bridge."""
    async with running_bridge() as running:
        await until(lambda: has_consumer(nats_client))
        yield running


async def has_consumer(client: Client) -> bool:
    """Tell whether a bridge has asked for messages."""
    try:
        return bool(await client.jetstream().consumers_info(STREAM))
    except NotFoundError:
        return False


async def all_is_delivered(client: Client) -> None:
    """Wait until the stream has nothing left for the bridge, and nothing that was not acknowledged."""

    async def done() -> bool:
        context = client.jetstream()
        info = await context.consumer_info(STREAM, DURABLE)
        newest = (await context.stream_info(STREAM)).state.last_seq
        return (
            not info.num_pending
            and not info.num_ack_pending
            and (info.ack_floor.stream_seq if info.ack_floor else 0) >= newest
        )

    await until(done)


async def told(user_id: UUID) -> list[dict[str, Any]]:
    """Return the frames of a user's history, in the order of their numbers."""
    epoch = (await history().read(user_id)).epoch
    missed = (await history().read(user_id, Cursor(epoch, 0))).missed
    assert missed is not None
    frames = [json.loads(item.frame) for item in missed]
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    return frames


async def say(client: Client, subject: str, **data: Any) -> None:
    """Publish as another service does: bare JSON, without JetStream's answer."""
    await client.publish(subject, json.dumps(data, default=str).encode())


async def letters() -> list[DeadLetter]:
    """Return the dead letters, in the order in which they died."""
    return await in_read_thread(list, DeadLetter.objects.order_by("id"))


async def has(user: User, count: int) -> bool:
    """Tell whether so many notifications of a user are in the history."""
    return (await history().read(user.pk)).head >= count
