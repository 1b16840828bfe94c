"""The contract of every history, run over that of one process and that of many; then what is special of each."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from common.redis import PREFIX, async_redis
from realtime.delivery.fence import Fence, Fenced
from realtime.delivery.history import Delivery, History, Notification, Place
from realtime.delivery.history.base import EVENT_ID_TTL
from realtime.delivery.history.memory import MemoryHistory
from realtime.delivery.history.redis import EVENTS_PER_CALL, RedisHistory
from realtime.delivery.layer_messages import DELIVER, group_of
from realtime.delivery.layers.redis import RedisChannelLayer

A, B, NOBODY = UUID(int=1), UUID(int=2), UUID(int=9)


@pytest.fixture(params=[MemoryHistory, RedisHistory])
def history(request: pytest.FixtureRequest) -> History:
    """An empty history."""
    if request.param is RedisHistory:
        request.getfixturevalue("redis_url")
    kind: Callable[[], History] = request.param
    return kind()


def delivery(event_id: str, *users: UUID, data: bytes = b"{}") -> Delivery:
    return Delivery(event_id, "t", data, dict.fromkeys(users or (A,)))


async def fill(history: History, count: int) -> None:
    await history.deliver([delivery(f"e{n}") for n in range(count)])


async def since(history: History, user_id: UUID, seq: int) -> list[Notification] | None:
    epoch, _ = await history.heads([user_id])
    return (await history.read(user_id, Place(epoch, seq))).missed


async def test_numbers_count_up_by_user_without_gaps(history: History) -> None:
    await history.deliver([delivery("e0", A, B), delivery("e1", A), delivery("e2", A)])
    assert (await history.heads([A, NOBODY, B]))[1] == [3, 0, 1]
    assert [item.seq for item in await since(history, A, 0) or ()] == [1, 2, 3]
    assert (await history.read(NOBODY)).head == 0


async def test_the_same_event_keeps_its_number(history: History) -> None:
    await history.deliver([delivery("e", data=b'{"a":1}'), delivery("f")])
    await history.deliver([delivery("e", A, B, data=b'{"a":1}')])
    assert (await history.heads([A, B]))[1] == [2, 1]
    frames = [json.loads(item.frame) for item in await since(history, A, 0) or ()]
    assert frames == [{"type": "t", "data": {"a": 1}, "seq": 1}, {"type": "t", "data": {}, "seq": 2}]


async def test_recipients_may_see_different_data(history: History) -> None:
    await history.deliver([Delivery("e", "t", b'{"n":"all"}', {A: None, B: '{"n":"weniger, ä"}'.encode()})])
    seen = [json.loads((await since(history, user, 0) or [])[0].frame)["data"]["n"] for user in (A, B)]
    assert seen == ["all", "weniger, ä"]


async def test_what_was_missed_is_given_again(history: History) -> None:
    await fill(history, 5)
    missed = await since(history, A, 3)
    assert missed is not None
    assert [item.seq for item in missed] == [4, 5]
    assert missed[0].frame == '{"type":"t","data":{},"seq":4}'
    assert await since(history, A, 5) == []
    assert await since(history, NOBODY, 0) == []


@pytest.mark.parametrize("seq", [6, 10**17])
async def test_nobody_resumes_from_what_was_not_yet(history: History, seq: int) -> None:
    await fill(history, 5)
    assert await since(history, A, seq) is None


async def test_nobody_resumes_from_another_generation(history: History) -> None:
    await fill(history, 5)
    reading = await history.read(A, Place("other", 3))
    assert (reading.head, reading.missed) == (5, None)


async def test_only_so_many_are_kept(history: History, settings: Any) -> None:
    settings.HISTORY_MAX = 3
    await fill(history, 5)
    assert await since(history, A, 1) is None
    kept = await since(history, A, 2)
    assert kept is not None
    assert [item.seq for item in kept] == [3, 4, 5]


async def test_the_epoch_can_stand_in_an_address(history: History) -> None:
    epoch, _ = await history.heads([A])
    assert (await history.read(A)).epoch == epoch
    assert epoch.replace("-", "").replace("_", "").isalnum()


async def test_in_memory_what_is_over_is_forgotten(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HISTORY_TTL = timedelta(seconds=10)
    history = MemoryHistory()
    await fill(history, 2)
    now = time.monotonic()
    monkeypatch.setattr("realtime.delivery.history.memory.time.monotonic", lambda: now + 11)
    assert await since(history, A, 0) is None
    history.purge()
    assert not history._users[A].frames
    await history.deliver([delivery("new")])
    assert (await history.heads([A]))[1] == [3]
    monkeypatch.setattr("realtime.delivery.history.memory.time.monotonic", lambda: now + EVENT_ID_TTL + 1)
    history.purge()
    assert list(history._users[A].numbers) == ["new"]


def test_in_memory_every_generation_has_its_own_name() -> None:
    assert len({MemoryHistory().epoch for _ in range(10)}) == 10


@pytest.mark.usefixtures("redis_url")
async def test_in_redis_what_is_over_ends_by_itself(settings: Any) -> None:
    settings.HISTORY_TTL = timedelta(milliseconds=1)
    history = RedisHistory()
    await fill(history, 2)
    names = [str(key, "ascii") for key in await async_redis().keys(f"{PREFIX}*")]  # type: ignore[arg-type]
    keys = {name: await async_redis().pttl(name) for name in names}
    ids = [ttl for key, ttl in keys.items() if ":ids:" in key]
    assert len(ids) == 1
    assert EVENT_ID_TTL * 1000 < ids[0] <= 2 * EVENT_ID_TTL * 1000
    assert keys[f"{PREFIX}head:{A}"] == -1  # the numbers go on
    while await async_redis().exists(f"{PREFIX}frames:{A}"):
        pass
    assert await since(history, A, 0) is None
    settings.HISTORY_TTL = timedelta(hours=1)
    await history.deliver([delivery("new")])
    assert [item.seq for item in await since(history, A, 2) or ()] == [3]


@pytest.mark.usefixtures("redis_url")
async def test_an_event_of_yesterday_keeps_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    history = RedisHistory()
    await fill(history, 1)
    now = time.time()
    monkeypatch.setattr("realtime.delivery.history.redis.time.time", lambda: now + EVENT_ID_TTL - 1)
    await fill(history, 1)
    assert (await history.heads([A]))[1] == [1]


@pytest.mark.usefixtures("redis_url")
async def test_a_batch_of_any_size_is_delivered_over_the_channel_layer(settings: Any) -> None:
    layer = RedisChannelLayer(hosts=[settings.REDIS_URL])
    channel = await layer.new_channel()
    await layer.group_add(group_of(A), channel)
    await layer.group_send(group_of(A), {"type": "ready"})
    assert await layer.receive(channel) == {"type": "ready"}
    history, count = RedisHistory(), 2 * EVENTS_PER_CALL + 1
    await fill(history, count)
    messages = [await layer.receive(channel) for _ in range(count)]
    assert [message["seq"] for message in messages] == list(range(1, count + 1))
    assert messages[0] == {
        "type": DELIVER, "epoch": (await history.read(A)).epoch, "seq": 1, "event": "t",
        "frame": '{"type":"t","data":{},"seq":1}', "at": 0,
    }  # fmt: skip
    await layer.flush()


@pytest.mark.usefixtures("redis_url")
async def test_who_does_not_hold_the_lease_delivers_nothing() -> None:
    history = RedisHistory()
    await async_redis().set("lease", "another")
    with pytest.raises(Fenced):
        await history.deliver([delivery("e")], Fence("lease", "mine", "position", 7))
    assert await async_redis().get("position") is None
    assert (await history.heads([A]))[1] == [0]
    await async_redis().set("lease", "mine")
    await history.deliver([delivery("e")], Fence("lease", "mine", "position"))
    assert await async_redis().get("position") is None
    many = [delivery(f"f{n}") for n in range(EVENTS_PER_CALL + 1)]
    await history.deliver(many, Fence("lease", "mine", "position", 7))
    assert await async_redis().get("position") == b"7"
    await history.deliver([], Fence("lease", "mine", "position", 8))
    assert await async_redis().get("position") == b"8"


@pytest.mark.usefixtures("redis_url")
async def test_a_redis_that_was_emptied_is_another_generation() -> None:
    history = RedisHistory()
    await fill(history, 3)
    before, _ = await history.heads([A])
    await async_redis().flushall()
    await fill(history, 5)
    after, heads = await history.heads([A])
    assert after != before
    assert heads == [5]
    assert (await history.read(A, Place(before, 3))).missed is None
