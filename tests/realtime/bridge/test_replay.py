"""Dead letters that are published once more, on real servers."""

import pytest
from nats.aio.client import Client

from common.threads import in_read_thread, in_write_thread
from events import dead_letters
from events.models import DeadLetter
from realtime.bridge.bridge import Bridge
from tests.patience import until
from tests.realtime.bridge.conftest import has, letters, say, told
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_dead_letter_can_be_replayed_after_a_fix(
    bridge: Bridge, nats_client: Client, monkeypatch: pytest.MonkeyPatch, dewi: User
) -> None:
    monkeypatch.setattr("realtime.bridge.reading.MAX_PAYLOAD", 10)
    await say(nats_client, "match.found", driver_id=dewi.pk, n=1)
    await until(lambda: bridge.counts.dead == 1)
    monkeypatch.setattr("realtime.bridge.reading.MAX_PAYLOAD", 1000)
    assert await in_write_thread(dead_letters.dead_letters_request_replay) == 1
    await until(lambda: has(dewi, 1))
    [letter] = await letters()
    await until(lambda: in_read_thread(DeadLetter.objects.filter(replayed_at__isnull=False).exists))
    assert [frame["data"]["n"] for frame in await told(dewi.pk)] == [1]
    assert await in_write_thread(dead_letters.dead_letters_request_replay) == 0
    assert await in_write_thread(lambda: dead_letters.dead_letters_request_replay(ids=[letter.pk])) == 1
    await until(lambda: has(dewi, 2))


async def test_a_letter_that_nats_refuses_blocks_no_other(bridge: Bridge, nats_client: Client) -> None:
    context = nats_client.jetstream()
    await context.publish("match.found", b"1")
    await context.publish("match.found", b"2", headers={"Nats-Expected-Last-Sequence": "1"})
    await context.publish("match.found", b"3")
    await until(lambda: bridge.counts.dead == 3)
    await in_write_thread(dead_letters.dead_letters_request_replay)
    await until(lambda: bridge.counts.replayed == 3)
