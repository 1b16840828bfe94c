"""Messages of a durable pull consumer, as they arrive.

The library's own `fetch` waits for a whole batch or for its time-out, so it is slow, or its batches are small. Here the
server always has a request for messages, and a batch is what has arrived.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from events.stream import DURABLE, STREAM

REQUEST_EXPIRES = 5.0
"""Seconds after which a request for messages ends on the server."""

SILENCE = REQUEST_EXPIRES + 3.0
"""Seconds after which a request without any answer, not even its end, is taken for lost."""

ACK_SUBJECT = "$JS.ACK."
"""The reply subject of messages of the stream begins so; other messages are the server's, about our request."""


class RequestStatus(StrEnum):
    """The `Status` header of the server's messages about a request; any other one ends the pull."""

    HEARTBEAT = "100", "The request is still there."
    NO_MESSAGES = "404", "The request has ended: there are no messages."
    EXPIRED = "408", "The request has ended: its time is over."

    meaning: str

    def __new__(cls, value: str, meaning: str) -> RequestStatus:
        """Make a member of its value, and keep what it means beside it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class PullBroken(Exception):
    """The consumer is not usable any more, or a message is missing: it has to be created again."""


class Pull:
    """The messages of the durable consumer `bridge`, from its first one: each pull begins with a new consumer."""

    def __init__(self, client: Client, batch: int, stream: str = STREAM) -> None:
        self._client = client
        self._batch = batch
        self._stream = stream
        self._arrived: deque[Msg] = deque()
        self._something = asyncio.Event()
        self._wanted = 0
        self._delivered = 0
        self._answered_at = 0.0
        self._subscription: Subscription | None = None
        self._inbox = client.new_inbox()

    async def open(self) -> None:
        """Request messages."""
        self._subscription = await self._client.subscribe(self._inbox, cb=self._receive)
        await self._request()

    async def close(self) -> None:
        """Request no more messages."""
        if self._subscription is not None and self._client.is_connected:
            await self._subscription.unsubscribe()

    def wake(self) -> None:
        """Let `next` return at once."""
        self._something.set()

    async def next(self, seconds: float) -> list[Msg]:
        """Return what has arrived, at most a batch; wait for the first message for so long, and then return none.

        Raises `PullBroken` when no more messages will come, or when one is missing.
        """
        loop = asyncio.get_running_loop()
        if not self._arrived:
            self._something.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._something.wait()
            except TimeoutError:
                if loop.time() - self._answered_at > SILENCE:
                    raise PullBroken("the server does not answer") from None
        messages: list[Msg] = []
        while self._arrived and len(messages) < self._batch:
            message = self._arrived.popleft()
            status = (message.headers or {}).get("Status", "")
            if message.reply.startswith(ACK_SUBJECT):
                self._check_order(message)
                messages.append(message)
                self._wanted -= 1
            elif status in (RequestStatus.NO_MESSAGES, RequestStatus.EXPIRED):
                self._wanted = 0
            elif status != RequestStatus.HEARTBEAT:
                description = (message.headers or {}).get("Description")
                raise PullBroken(f"{status} {description}")
        if self._wanted <= 0:
            await self._request()
        return messages

    def _check_order(self, message: Msg) -> None:
        """Raise `PullBroken` where a message of this consumer went to another process, or got lost on the way."""
        self._delivered += 1
        number = message.metadata.sequence.consumer
        if number != self._delivered:
            raise PullBroken(f"message {self._delivered} of the consumer is missing: the next one is {number}")

    async def _receive(self, message: Msg) -> None:
        self._arrived.append(message)
        self._answered_at = asyncio.get_running_loop().time()
        self._something.set()

    async def _request(self) -> None:
        self._wanted = self._batch
        self._answered_at = asyncio.get_running_loop().time()
        request = b'{"batch":%d,"expires":%d}' % (self._batch, int(REQUEST_EXPIRES * 1e9))
        await self._client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{DURABLE}", request, reply=self._inbox)
