"""Messages of a durable pull consumer, as they come.

The library's own `fetch` waits for a whole batch or its time-out, which is either slow or small; here a request for
messages is always with the server, and whatever has arrived is a batch.
"""

from __future__ import annotations

import asyncio
from collections import deque

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from events.stream import DURABLE, STREAM

REQUEST_EXPIRES = 5.0
"""Seconds for which the server keeps a request for messages."""

SILENCE = REQUEST_EXPIRES + 3.0
"""Seconds after which a request that was answered by nothing at all is lost."""

STATUS = "Status"
OVER = ("404", "408")
"""The request has ended, because there is nothing (more) or its time is over."""

ACK_SUBJECT = "$JS.ACK."
"""Messages of the stream are answered there; without it, it is a word of the server about our request."""


class PullBroken(Exception):
    """The consumer or the connection is not what it was; it has to be opened anew."""


class Pull:
    """The messages of the durable consumer `bridge`, from its first: it is made anew for each of these."""

    def __init__(self, client: Client, batch: int) -> None:
        self._client = client
        self._batch = batch
        self._arrived: deque[Msg] = deque()
        self._something = asyncio.Event()
        self._wanted = 0
        self._delivered = 0
        self._heard_at = 0.0
        self._subscription: Subscription | None = None
        self._inbox = client.new_inbox()

    async def open(self) -> None:
        """Begin to ask for messages."""
        self._subscription = await self._client.subscribe(self._inbox, cb=self._receive)
        await self._request()

    async def close(self) -> None:
        """Ask no more."""
        if self._subscription is not None and self._client.is_connected:
            await self._subscription.unsubscribe()

    def wake(self) -> None:
        """Let `next` return what there is."""
        self._something.set()

    async def next(self, seconds: float) -> list[Msg]:
        """Return what has arrived, at most a batch, waiting so long for the first; empty where nothing came.

        Raises `PullBroken` when no more will come, or not all that should have.
        """
        loop = asyncio.get_running_loop()
        if not self._arrived:
            self._something.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._something.wait()
            except TimeoutError:
                if loop.time() - self._heard_at > SILENCE:
                    raise PullBroken("nothing was heard of the consumer") from None
        messages: list[Msg] = []
        while self._arrived and len(messages) < self._batch:
            message = self._arrived.popleft()
            status = (message.headers or {}).get(STATUS, "")
            if message.reply.startswith(ACK_SUBJECT):
                self._check_order(message)
                messages.append(message)
                self._wanted -= 1
            elif status in OVER:
                self._wanted = 0
            elif not status.startswith("1"):  # 100 is a heartbeat
                description = (message.headers or {}).get("Description")
                raise PullBroken(f"{status} {description}")
        if self._wanted <= 0:
            await self._request()
        return messages

    def _check_order(self, message: Msg) -> None:
        """Notice that a message of this consumer went elsewhere, or got lost on the way: none may be skipped."""
        self._delivered += 1
        number = message.metadata.sequence.consumer
        if number != self._delivered:
            raise PullBroken(f"message {self._delivered} of the consumer did not come, but {number}")

    async def _receive(self, message: Msg) -> None:
        self._arrived.append(message)
        self._heard_at = asyncio.get_running_loop().time()
        self._something.set()

    async def _request(self) -> None:
        self._wanted = self._batch
        self._heard_at = asyncio.get_running_loop().time()
        request = b'{"batch":%d,"expires":%d}' % (self._batch, int(REQUEST_EXPIRES * 1e9))
        await self._client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{DURABLE}", request, reply=self._inbox)
