"""The contract of every history, run over that of one process and that of many; then what is special of each."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from common.redis import PREFIX, async_redis
from realtime.delivery.deliveries import DeliveringLayer, Delivery
from realtime.delivery.history import Cursor, History, Notification, history
from realtime.delivery.history.base import EVENT_ID_TTL
from realtime.delivery.history.memory import MemoryHistory
from realtime.delivery.history.redis import RedisHistory, forget_idle
from realtime.delivery.layers.memory import InProcessChannelLayer
from realtime.delivery.layers.redis import DAY, RedisChannelLayer

A, B, NOBODY = UUID(int=1), UUID(int=2), UUID(int=9)


class Store:
    """A history, and the channel layer that fills it."""

    def __init__(self, history: History, layer: DeliveringLayer) -> None:
        self.history = history
        self.deliver = layer.deliver_batch
        self.read, self.heads, self.forget = history.read, history.heads, history.forget


def redis_store(url: str) -> Store:
    return Store(RedisHistory(), RedisChannelLayer(hosts=[url]))


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty history."""
    if request.param == "redis":
        return redis_store(request.getfixturevalue("redis_url"))
    return Store(history(), InProcessChannelLayer())


def delivery(event_id: str, *users: UUID, data: bytes = b"{}") -> Delivery:
    return Delivery(event_id, "t", data, dict.fromkeys(users or (A,)))


async def fill(store: Store, count: int) -> None:
    await store.deliver([delivery(f"e{n}") for n in range(count)])


async def since(store: Store, user_id: UUID, seq: int) -> list[Notification] | None:
    epoch, _ = await store.heads([user_id])
    return (await store.read(user_id, Cursor(epoch, seq))).missed


async def test_frames_are_forgotten_and_numbers_go_on(store: Store) -> None:
    """Nothing is sent again to whoever has the number now, and nothing is taken for something else."""
    await store.deliver([delivery("e0", A, B), delivery("e1", A, B)])
    for user in (A, NOBODY):
        await asyncio.to_thread(store.forget, user)
    assert await since(store, A, 0) is None
    assert await since(store, A, 1) is None
    assert await since(store, A, 2) == []
    assert [item.seq for item in await since(store, B, 0) or ()] == [1, 2]
    await store.deliver([delivery("e2", A), delivery("e1", A)])
    assert [item.seq for item in await since(store, A, 2) or ()] == [3]
    assert await since(store, A, 1) is None


async def test_numbers_count_up_by_user_without_gaps(store: Store) -> None:
    await store.deliver([delivery("e0", A, B), delivery("e1", A), delivery("e2", A)])
    assert (await store.heads([A, NOBODY, B]))[1] == [3, 0, 1]
    assert [item.seq for item in await since(store, A, 0) or ()] == [1, 2, 3]
    assert (await store.read(NOBODY)).head == 0


async def test_what_has_expired_is_not_delivered(store: Store) -> None:
    """It gets no number either."""
    now = time.time()
    ends = [None, now - 1, now + 60]
    count = await store.deliver([Delivery(f"e{n}", "t", b"{}", {A: None}, 0, end) for n, end in enumerate(ends)])
    assert count == 1
    assert (await store.heads([A]))[1] == [2]


@pytest.mark.parametrize("skew", [-3600, 3600])
async def test_the_clock_of_redis_decides(redis_url: str, monkeypatch: pytest.MonkeyPatch, skew: int) -> None:
    """A bridge whose clock is an hour fast must not drop every offer."""
    store, now = redis_store(redis_url), time.time()
    monkeypatch.setattr("time.time", lambda: now + skew)
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime.fromtimestamp(now + skew, UTC))
    valid, expired = (Delivery(name, "t", b"{}", {A: None}, 0, now + end) for name, end in (("v", 60), ("e", -60)))
    assert await store.deliver([valid, expired]) == 1
    assert (await store.heads([A]))[1] == [1]


async def test_the_same_event_keeps_its_number(store: Store) -> None:
    await store.deliver([delivery("e", data=b'{"a":1}'), delivery("f")])
    await store.deliver([delivery("e", A, B, data=b'{"a":1}')])
    assert (await store.heads([A, B]))[1] == [2, 1]
    frames = [json.loads(item.frame) for item in await since(store, A, 0) or ()]
    assert frames == [{"type": "t", "data": {"a": 1}, "seq": 1}, {"type": "t", "data": {}, "seq": 2}]


async def test_recipients_may_see_different_data(store: Store) -> None:
    await store.deliver([Delivery("e", "t", b'{"n":"all"}', {A: None, B: '{"n":"weniger, ä"}'.encode()})])
    seen = [json.loads((await since(store, user, 0) or [])[0].frame)["data"]["n"] for user in (A, B)]
    assert seen == ["all", "weniger, ä"]


async def test_what_was_missed_is_given_again(store: Store) -> None:
    await fill(store, 5)
    missed = await since(store, A, 3)
    assert missed is not None
    assert [item.seq for item in missed] == [4, 5]
    assert missed[0].frame == '{"type":"t","data":{},"seq":4}'
    assert await since(store, A, 5) == []
    assert await since(store, NOBODY, 0) == []


@pytest.mark.parametrize("seq", [6, 10**17])
async def test_nobody_resumes_from_what_was_not_yet(store: Store, seq: int) -> None:
    await fill(store, 5)
    assert await since(store, A, seq) is None


async def test_nobody_resumes_from_another_generation(store: Store) -> None:
    await fill(store, 5)
    reading = await store.read(A, Cursor("other", 3))
    assert (reading.head, reading.missed) == (5, None)


async def test_only_so_many_are_kept(store: Store, settings: Any) -> None:
    settings.HISTORY_MAX = 3
    await fill(store, 5)
    assert await since(store, A, 1) is None
    kept = await since(store, A, 2)
    assert kept is not None
    assert [item.seq for item in kept] == [3, 4, 5]


async def test_the_epoch_can_stand_in_an_address(store: Store) -> None:
    epoch, _ = await store.heads([A])
    assert (await store.read(A)).epoch == epoch
    assert epoch.replace("-", "").replace("_", "").isalnum()


async def test_in_memory_what_is_over_is_forgotten(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HISTORY_TTL = timedelta(seconds=10)
    memory = history()
    assert isinstance(memory, MemoryHistory)
    store = Store(memory, InProcessChannelLayer())
    await fill(store, 2)
    now = time.monotonic()
    monkeypatch.setattr("realtime.delivery.history.memory.time.monotonic", lambda: now + 11)
    assert await since(store, A, 0) is None
    memory.purge()
    assert not memory._users[A].frames
    await store.deliver([delivery("new")])
    assert (await store.heads([A]))[1] == [3]
    monkeypatch.setattr("realtime.delivery.history.memory.time.monotonic", lambda: now + EVENT_ID_TTL + 1)
    memory.purge()
    assert list(memory._users[A].numbers) == ["new"]


def test_in_memory_every_generation_has_its_own_name() -> None:
    assert len({MemoryHistory().epoch for _ in range(10)}) == 10


async def test_in_redis_what_is_over_ends_by_itself(redis_url: str, settings: Any) -> None:
    settings.HISTORY_TTL = timedelta(milliseconds=1)
    store = redis_store(redis_url)
    await fill(store, 2)
    names = [str(key, "ascii") for key in await async_redis().keys(f"{PREFIX}*")]  # type: ignore[arg-type]
    keys = {name: await async_redis().pttl(name) for name in names}
    ids = [ttl for key, ttl in keys.items() if ":ids:" in key]
    assert len(ids) == 1
    assert EVENT_ID_TTL * 1000 < ids[0] <= 2 * EVENT_ID_TTL * 1000
    assert keys[f"{PREFIX}head:{A}"] == -1  # the numbers go on
    while await async_redis().exists(f"{PREFIX}frames:{A}"):
        pass
    assert await since(store, A, 0) is None
    settings.HISTORY_TTL = timedelta(hours=1)
    await store.deliver([delivery("new")])
    assert [item.seq for item in await since(store, A, 2) or ()] == [3]


async def test_an_event_of_yesterday_keeps_its_number(redis_url: str) -> None:
    store = redis_store(redis_url)
    await fill(store, 1)
    key = f"{PREFIX}ids:{{day}}:{A}"
    seconds, _ = await async_redis().time()
    today = seconds // DAY
    await async_redis().rename(key.format(day=today), key.format(day=today - 1))
    await fill(store, 1)
    assert (await store.heads([A]))[1] == [1]


async def test_a_redis_that_was_emptied_is_another_generation(redis_url: str) -> None:
    store = redis_store(redis_url)
    await fill(store, 3)
    before, _ = await store.heads([A])
    await async_redis().flushall()
    await fill(store, 5)
    after, heads = await store.heads([A])
    assert after != before
    assert heads == [5]
    assert (await store.read(A, Cursor(before, 3))).missed is None


class Idle:
    """Lets days pass, after which users who had no notification are forgotten."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self._store, self._monkeypatch, self._days = store, monkeypatch, 0

    async def days_pass(self) -> None:
        if isinstance(self._store.history, MemoryHistory):
            self._days += 2
            began, days = time.monotonic(), self._days
            clock = "realtime.delivery.history.memory.time.monotonic"
            self._monkeypatch.setattr(clock, lambda: began + days * DAY)
            self._store.history.purge()
            self._monkeypatch.undo()
            return
        for kept in ("ids", "frames"):  # which end by themselves
            for key in await async_redis().keys(f"{PREFIX}{kept}:*"):
                await async_redis().delete(key)
        assert await forget_idle() == "0"


async def test_no_number_is_given_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was forgotten, and who is new, go on after the highest number that was; old cursors get the state."""
    idle = Idle(store, monkeypatch)
    await fill(store, 5)
    await store.deliver([delivery("b", B)])
    epoch = (await store.read(A)).epoch
    await idle.days_pass()
    for user, seen in ((A, 5), (B, 5), (NOBODY, 5)):
        assert (await store.read(user)).head == seen
    assert (await store.heads([A, B]))[1] == [0, 0]
    assert await since(store, A, 5) == []  # nothing was missed
    assert await since(store, B, 1) is None
    await store.deliver([delivery("later", A, B), delivery("last", B)])
    assert (await store.heads([A, B])) == (epoch, [6, 7])
    assert [item.seq for item in await since(store, A, 5) or ()] == [6]
    assert await since(store, B, 1) is None
    await idle.days_pass()
    assert (await store.read(A)).head == 7
    assert await since(store, A, 6) is None


async def test_who_is_told_is_not_forgotten(redis_url: str, settings: Any) -> None:
    """What is kept for a user keeps the number: frames as long as they may, and ids of events for a day."""
    store = redis_store(redis_url)
    await fill(store, 2)
    for kept in ("ids", "frames"):
        assert await forget_idle() == "0"
        assert (await store.heads([A]))[1] == [2]
        [key] = await async_redis().keys(f"{PREFIX}{kept}:*")
        await async_redis().delete(key)
    assert await forget_idle() == "0"
    left = [str(key, "ascii") for key in await async_redis().keys(f"{PREFIX}*")]  # type: ignore[arg-type]
    assert sorted(left) == [f"{PREFIX}{key}" for key in ("floor", "generation", "numbered")]
    assert await async_redis().scard(f"{PREFIX}numbered") == 2  # the generation, and that there is a floor


async def test_a_lost_floor_begins_an_epoch(redis_url: str) -> None:
    """Numbers would begin again from 1."""
    store = redis_store(redis_url)
    await fill(store, 2)
    await async_redis().delete(*await async_redis().keys(f"{PREFIX}[if]*"))
    await forget_idle()
    before = (await store.read(A)).epoch
    assert (await store.read(A)).epoch == before
    await async_redis().delete(f"{PREFIX}floor")
    assert (await store.read(A)).epoch != before
    await store.deliver([delivery("e9")])
    assert (await store.heads([A]))[1] == [1]


async def test_many_users_are_looked_at_in_parts(redis_url: str) -> None:
    """One call must not hold up Redis for long."""
    store = redis_store(redis_url)
    users = [UUID(int=number) for number in range(1, 501)]
    await store.deliver([delivery("e", *users)])
    for key in await async_redis().keys(f"{PREFIX}[if]*"):
        await async_redis().delete(key)
    cursor, calls = await forget_idle(), 1
    while cursor != "0":
        cursor, calls = await forget_idle(cursor), calls + 1
    assert calls > 2
    assert await async_redis().keys(f"{PREFIX}head:*") == []
