"""A Redis that answers "not now" while the bridge works: everything is held, and delivered afterwards."""

import asyncio
from typing import Any

import pytest
import redis
from nats.aio.client import Client

from devservers.servers import ValkeyServer
from realtime.bridge import passing
from tests.patience import until
from tests.realtime.bridge.conftest import all_is_delivered, has, letters, say, told
from tests.redis_faults import REFUSALS
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)

LINES = 12
"""Log lines at most, however long it lasts: each waiting part of the bridge says its reason once."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "RETRY_DELAY", 0.05)


@pytest.mark.usefixtures("bridge")
@pytest.mark.parametrize("word", REFUSALS)
async def test_messages_are_held_until_redis_works(
    nats_client: Client, valkey: ValkeyServer, dewi: User, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost, doubled or out of order; no message is blamed, and no bridge dies."""
    await say(nats_client, "match.found", driver_id=dewi.pk, n=0)
    await until(lambda: has(dewi, 1))
    operator = redis.Redis.from_url(valkey.url, socket_timeout=None)
    undo = await asyncio.to_thread(REFUSALS[word], valkey, operator)
    try:
        for n in range(1, 150):
            await say(nats_client, "match.found", driver_id=dewi.pk, n=n)
        await wait_for_reason(caplog)
    finally:
        await asyncio.to_thread(undo)
        operator.close()
    await until(lambda: has(dewi, 150))
    await all_is_delivered(nats_client)
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == list(range(150))
    assert await letters() == []
    assert "Traceback" not in caplog.text
    # the exporter of traces may still be at it for a test before this one
    lines = [record for record in caplog.records if not record.name.startswith("opentelemetry.")]
    assert len(lines) <= LINES, caplog.text


async def wait_for_reason(caplog: pytest.LogCaptureFixture) -> None:
    """Wait until the batch has been held for some attempts, or the bridge has stood down before that was said."""

    async def is_held() -> Any:
        return "Holding" in caplog.text or "Standing down" in caplog.text

    await until(is_held)
    await asyncio.sleep(1)
