import asyncio
import gc

import pytest

from nebengjek_client import ClientClosed, Frame, Replaced, SubscriptionOverflow
from nebengjek_client import listeners as module
from nebengjek_client.listeners import Listeners
from tests.patience import within


def frame(kind: str, seq: int | None = None) -> Frame:
    return Frame(kind, {}, seq)


async def test_subscriptions_keep_the_order() -> None:
    """A subscription has what came since the call, in order."""
    listeners = Listeners()
    listeners.tell(frame("a", 1))
    some, everything = listeners.subscribe("a", "b"), listeners.subscribe()
    for told in (frame("a", 2), frame("c", 3), frame("b", 4)):
        listeners.tell(told)
    assert [(await anext(some)).seq for _ in range(2)] == [2, 4]
    assert [(await anext(everything)).seq for _ in range(3)] == [2, 3, 4]


async def test_readers_wait_for_frames() -> None:
    """A reader waits for the next frame."""
    listeners = Listeners()
    reading = asyncio.create_task(listeners.wait_for("a", lambda told: told.seq == 2))
    await asyncio.sleep(0)
    for told in (frame("b", 2), frame("a", 1), frame("a", 2)):
        listeners.tell(told)
    async with within():
        assert await reading == frame("a", 2)


async def test_subscriptions_say_why_they_end() -> None:
    """A subscription ends quietly when the application closes the client, else with the reason."""
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


async def test_unread_subscriptions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription that nobody reads does not grow for ever."""
    monkeypatch.setattr(module, "SUBSCRIPTION_MAX", 3)
    listeners = Listeners()
    subscription = listeners.subscribe("a")
    for seq in range(5):
        listeners.tell(frame("a", seq))
    with pytest.raises(SubscriptionOverflow):
        await anext(subscription)


async def test_lost_subscriptions_are_forgotten() -> None:
    """A subscription that nobody has is forgotten."""
    listeners = Listeners()
    subscription = listeners.subscribe("a")
    assert len(listeners._subscriptions) == 1
    del subscription
    gc.collect()
    assert len(listeners._subscriptions) == 0


def test_callbacks_hear_their_type(caplog: pytest.LogCaptureFixture) -> None:
    """Callbacks get their type, or all, until they are removed."""
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
