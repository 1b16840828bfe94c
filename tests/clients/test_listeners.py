import asyncio
import gc

import pytest

from nebengjek_client import ClientClosed, Frame, Replaced, SubscriptionOverflow
from nebengjek_client import listeners as module
from nebengjek_client.listeners import Listeners
from tests.patience import within


def frame(kind: str, seq: int | None = None) -> Frame:
    return Frame(kind, {}, seq)


async def test_a_subscription_has_what_came_since_the_call_in_order() -> None:
    listeners = Listeners()
    listeners.tell(frame("a", 1))
    some, everything = listeners.subscribe("a", "b"), listeners.subscribe()
    for told in (frame("a", 2), frame("c", 3), frame("b", 4)):
        listeners.tell(told)
    assert [(await anext(some)).seq for _ in range(2)] == [2, 4]
    assert [(await anext(everything)).seq for _ in range(3)] == [2, 3, 4]


async def test_who_reads_waits_for_what_comes() -> None:
    listeners = Listeners()
    reading = asyncio.create_task(listeners.wait_for("a", lambda told: told.seq == 2))
    await asyncio.sleep(0)
    for told in (frame("b", 2), frame("a", 1), frame("a", 2)):
        listeners.tell(told)
    async with within():
        assert await reading == frame("a", 2)


async def test_when_the_application_closes_a_subscription_ends_and_otherwise_it_says_why() -> None:
    for reason in (ClientClosed("bye"), Replaced("by another")):
        listeners = Listeners()
        subscription = listeners.subscribe("a")
        listeners.tell(frame("a", 1))
        listeners.end(reason)
        seen = []
        try:
            async for told in subscription:
                seen.append(told.seq)
        except Replaced:
            seen.append(0)
        assert seen == ([1] if isinstance(reason, ClientClosed) else [1, 0])
        with pytest.raises(type(reason)):
            await listeners.wait_for("a", lambda _: True)


async def test_a_subscription_that_nobody_reads_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUBSCRIPTION_MAX", 3)
    listeners = Listeners()
    subscription = listeners.subscribe("a")
    for seq in range(5):
        listeners.tell(frame("a", seq))
    with pytest.raises(SubscriptionOverflow):
        await anext(subscription)


async def test_a_subscription_that_nobody_has_is_forgotten() -> None:
    listeners = Listeners()
    subscription = listeners.subscribe("a")
    assert len(listeners._subscriptions) == 1
    del subscription
    gc.collect()
    assert len(listeners._subscriptions) == 0


def test_callbacks_hear_their_type_or_all_until_they_do_not_want_to(caplog: pytest.LogCaptureFixture) -> None:
    listeners = Listeners()
    heard: list[str] = []

    def fail(_: Frame) -> None:
        raise KeyError("mine")

    listeners.on("a", fail)
    off = listeners.on("a", lambda told: heard.append(f"a{told.seq}"))
    listeners.on("*", lambda told: heard.append(f"*{told.seq}"))
    listeners.tell(frame("a", 1))
    off()
    off()
    listeners.tell(frame("a", 2))
    listeners.tell(frame("b", 3))
    assert heard == ["a1", "*1", "*2", "*3"]
    assert caplog.text.count("A callback for a failed.") == 2
