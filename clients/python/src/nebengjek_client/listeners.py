"""Who hears of what the server tells."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import deque
from collections.abc import Callable

from nebengjek_client.errors import ClientClosed, ConnectionEnded, NebengJekError, SubscriptionOverflow
from nebengjek_client.frames import Frame

logger = logging.getLogger(__name__)

Callback = Callable[[Frame], object]

ALL = "*"
"""Stands for every type."""

SUBSCRIPTION_MAX = 10_000
"""Frames that wait for the reader of a subscription."""


class Subscription:
    """The frames of some types, from now on: `async for frame in client.subscribe("ride_start")`.

    It ends when the application closes the client, and raises why when the client ends in another way.
    """

    def __init__(self, types: tuple[str, ...]) -> None:
        self._types = frozenset(types)
        self._frames: deque[Frame] = deque()
        self._news = asyncio.Event()
        self._end: NebengJekError | None = None

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Frame:
        while not self._frames:
            if isinstance(self._end, ClientClosed):
                raise StopAsyncIteration
            if self._end is not None:
                raise self._end
            self._news.clear()
            await self._news.wait()
        return self._frames.popleft()

    def hear(self, frame: Frame) -> None:
        """Keep a frame for the reader, if it is of these types."""
        if self._end is not None or not (frame.type in self._types or ALL in self._types):
            return
        if len(self._frames) >= SUBSCRIPTION_MAX:
            self._frames.clear()
            self.end(SubscriptionOverflow(f"Nobody has read {SUBSCRIPTION_MAX} frames."))
            return
        self._frames.append(frame)
        self._news.set()

    def end(self, reason: NebengJekError) -> None:
        """Raise this, when all that came before has been read."""
        self._end = self._end or reason
        self._news.set()


class Listeners:
    """Callbacks and subscriptions. A subscription that nobody refers to any more is forgotten."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callback]] = {}
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._end: ConnectionEnded | None = None

    def on(self, kind: str, callback: Callback) -> Callable[[], None]:
        """Call `callback` with each frame of a type; return the function that ends it."""
        callbacks = self._callbacks.setdefault(kind, [])
        callbacks.append(callback)

        def off() -> None:
            if callback in callbacks:
                callbacks.remove(callback)

        return off

    def subscribe(self, *types: str) -> Subscription:
        """Collect the frames of these types from now on."""
        subscription = Subscription(types or (ALL,))
        if self._end is not None:
            subscription.end(self._end)
        self._subscriptions.add(subscription)
        return subscription

    async def wait_for(self, kind: str, predicate: Callable[[Frame], bool]) -> Frame:
        """Return the next frame of a type that fits."""
        async for frame in self.subscribe(kind):
            if predicate(frame):
                return frame
        raise self._end or ClientClosed("The client was closed.")

    def tell(self, frame: Frame) -> None:
        """Pass a frame on. A callback that fails is its own problem, and no one else's."""
        for callback in (*self._callbacks.get(frame.type, ()), *self._callbacks.get(ALL, ())):
            try:
                callback(frame)
            except Exception:
                logger.exception("A callback for %s failed.", frame.type)
        for subscription in self._subscriptions:
            subscription.hear(frame)

    def end(self, reason: ConnectionEnded) -> None:
        """Tell all readers that nothing more will come."""
        self._end = reason
        for subscription in self._subscriptions:
            subscription.end(reason)
