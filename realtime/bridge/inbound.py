"""From the stream to the users: messages are pulled, delivered in batches, and then acknowledged.

While Redis, NATS or the database is unavailable, the batch is held and retried in place: a message that was given back
would come after newer ones. For the same reason the consumer is created again, just after the last message that was
delivered, whenever messages may be under way to nobody: at a takeover, and after a lost connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.conf import settings
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from common.nats import ANSWER_TIMEOUT
from common.retrying import all_or_each, retry_while
from events.stream import DURABLE, ensure_stream, stream_of
from realtime.bridge import passing
from realtime.bridge.batches import DELIVERING, Batches
from realtime.bridge.passing import PASSING
from realtime.bridge.pull import Pull, PullBroken
from realtime.bridge.turn import Turn
from realtime.delivery.fence import NotActive

logger = logging.getLogger(__name__)

ACK_WAIT = 60.0
"""Seconds after which NATS delivers a batch again that was neither acknowledged nor reported as in progress."""

HOLD_INTERVAL = 10.0
"""Seconds between `in_progress` acks for a batch that is being retried."""

IDLE = 1.0
"""Seconds to wait for messages before looking at anything else."""

ACK_DELAY = 0.1
"""Seconds for which a delivered message may wait to be acknowledged together with those after it: a write to NATS costs
as much as the delivery. The position in Redis, not the acknowledgement, says what was delivered."""


class Inbound:
    """Delivers the stream from a position on: `open`, then `run` until `stopping` is set, then `close`.

    Reason for its size: its methods are the life of one subscription, and share its position.
    """

    def __init__(self, turn: Turn, batches: Batches) -> None:
        self.position = turn.position
        self._turn, self._batches = turn, batches
        self._stream = stream_of(turn.shard)
        self._context = turn.client.jetstream(timeout=ANSWER_TIMEOUT)
        self._must_reopen = False
        self._pull: Pull | None = None
        self._unacknowledged: list[Msg] = []
        self._acknowledged_at = 0.0

    async def open(self) -> None:
        """Create the consumer, just after the last message that was delivered, and request messages.

        Raises `LeaseLost` when it is another bridge's, and `StreamReplaced` when the stream is not the one it was.
        """
        self._must_reopen = False
        await self.close()
        self.position.check(await ensure_stream(self._context, self._turn.shard))
        await self._turn.lease.renew()
        with contextlib.suppress(NotFoundError):
            await self._context.delete_consumer(self._stream, DURABLE)
        await self._context.add_consumer(self._stream, consumer_after(self.position.sequence))
        pull = Pull(self._turn.client, settings.BRIDGE_BATCH, self._stream)
        await pull.open()
        self._pull = pull
        logger.info("Bridging: stream=%s consumer=%s after=%d", self._stream, DURABLE, self.position.sequence)

    async def run(self) -> None:
        """Deliver until `stopping` is set; the batch in hand is finished. Raises `NotActive`."""
        while not self._turn.stopping.is_set():
            messages = await self._next()
            if self._must_reopen:
                await self._hold([], self.open)
            elif messages:
                await self._handle(messages)
            elif self._unacknowledged:
                await self._acknowledge()
            else:
                await self._hold([], self._skip_deleted)

    def wake(self) -> None:
        """Let `run` see at once that it is to stop."""
        if self._pull is not None:
            self._pull.wake()

    def connection_was_lost(self) -> None:
        """Create the consumer again: messages may have been under way when the connection broke."""
        self._must_reopen = True

    async def close(self) -> None:
        """Let NATS send nothing more here: the next bridge would miss it."""
        pull, self._pull = self._pull, None
        if pull is not None:
            # Whoever has taken over has made the consumer again, under its name: NATS takes our acks for theirs.
            # One for what Redis has forgotten, and they deliver again, makes NATS ignore theirs for as many messages.
            with contextlib.suppress(*PASSING):
                if self._unacknowledged and await self._turn.lease.try_take():
                    await self._acknowledge()
            with contextlib.suppress(*PASSING):
                await pull.close()
        self._unacknowledged.clear()

    async def _next(self) -> list[Msg]:
        assert self._pull is not None
        try:
            return await self._pull.next(ACK_DELAY if self._unacknowledged else IDLE)
        except PullBroken as exc:
            logger.warning("Opening the consumer again: %s", exc)
            self._must_reopen = True
            return []

    async def _handle(self, messages: Sequence[Msg]) -> None:
        """Deliver a batch, however long that takes, and acknowledge it, perhaps a moment later."""
        await all_or_each(
            messages,
            lambda batch: self._hold(batch, lambda: self._batches.deliver(batch)),
            self._handle_alone,
            passing=(NotActive,),
            log=logger,
            what="messages",
        )
        await self.position.move_to(messages[-1].metadata.sequence.stream)
        self._unacknowledged += messages
        is_late = asyncio.get_running_loop().time() > self._acknowledged_at + ACK_DELAY
        if is_late or len(self._unacknowledged) >= settings.BRIDGE_BATCH:
            await self._acknowledge()

    async def _handle_alone(self, message: Msg) -> bool:
        """Deliver one message; one that fails `BRIDGE_MAX_ATTEMPTS` times for a reason of its own is given up."""
        sequence, reason = message.metadata.sequence.stream, ""
        for attempt in range(1, settings.BRIDGE_MAX_ATTEMPTS + 1):
            try:
                await self._hold([message], lambda: self._batches.deliver([message]))
            except NotActive:
                raise
            except Exception as exc:
                reason = f"failed {attempt} times: {type(exc).__name__}: {exc}"
                logger.warning("Message %d on %s %s", sequence, message.subject, reason)
                await asyncio.sleep(passing.RETRY_DELAY)
            else:
                return True
        await self._give_up(message, reason)
        return True

    async def _give_up(self, message: Msg, reason: str) -> None:
        """Keep a message as a dead letter. Where even that fails only the log has it: it must not block all others."""
        try:
            await self._hold([message], lambda: self._batches.give_up(message, reason))
        except NotActive:
            raise
        except Exception:
            sequence = message.metadata.sequence.stream
            logger.exception("Message %d is lost: %r %r", sequence, message.subject, message.data)
            self._batches.dead.add(sequence)

    async def _acknowledge(self) -> None:
        """Acknowledge what was delivered: the last message stands for all before it, dead letters are terminated."""
        messages, self._unacknowledged = self._unacknowledged, []
        dead = self._batches.dead
        for message in messages:
            if message.metadata.sequence.stream in dead:
                await message.term()
        if messages and messages[-1].metadata.sequence.stream not in dead:
            await messages[-1].ack()
        dead.clear()
        self._acknowledged_at = asyncio.get_running_loop().time()

    async def _skip_deleted(self) -> None:
        """Move on where messages that were not delivered are gone: they end by age, or are deleted."""
        newest = (await self._context.stream_info(self._stream)).state.last_seq
        if newest <= self.position.sequence:
            return
        consumer = await self._context.consumer_info(self._stream, DURABLE)
        if not consumer.num_pending and not consumer.num_ack_pending:
            logger.warning("Messages up to %d are gone from the stream: all clients get the state.", newest)
            await self._batches.skip_to(newest)
            await self.position.move_to(newest)

    async def _hold(self, messages: Sequence[Msg], work: Callable[[], Awaitable[Any]]) -> None:
        """Do some work; while something is unavailable, hold `messages` and retry."""
        loop = asyncio.get_running_loop()
        next_report = loop.time() + HOLD_INTERVAL

        async def report() -> None:
            nonlocal next_report
            if self._turn.stopping.is_set():
                raise NotActive("stopping while something is unavailable")
            if loop.time() > next_report and self._turn.client.is_connected:
                next_report = loop.time() + HOLD_INTERVAL
                for message in messages:
                    await message.in_progress()

        with self._turn.watchdog.step(DELIVERING):
            await retry_while(
                PASSING,
                work,
                log=lambda reason: logger.warning("Holding %d messages: %s", len(messages), reason),
                delay=passing.RETRY_DELAY,
                between=report,
            )


def consumer_after(sequence: int) -> ConsumerConfig:
    """Return the configuration of the consumer that begins after a sequence."""
    start: dict[str, Any] = {"deliver_policy": DeliverPolicy.ALL}
    if sequence:
        start = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": sequence + 1}
    return ConsumerConfig(
        durable_name=DURABLE,
        ack_policy=AckPolicy.ALL,
        ack_wait=ACK_WAIT,
        max_ack_pending=4 * settings.BRIDGE_BATCH,
        **start,
    )
