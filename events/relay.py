"""The relay: publishes the events of the outbox on the bus; one relay at a time.

It is woken after each commit. It also polls every `RELAY_INTERVAL`, and so finds what another process (a shell, a
command, one that was killed) has written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from django.conf import settings

from common.errors import brief
from common.retrying import Repetition, all_or_each
from common.threads import in_read_thread, in_write_thread
from common.tracing import tracing
from events import outbox, wakeups
from events.buses.base import Bus, BusUnavailable, Refused
from events.models import OutboxEvent
from events.pending import PendingEvents

logger = logging.getLogger(__name__)

RETRY_DELAY = 1.0
"""Seconds between two attempts to publish a batch."""

SLOW = 2.0
"""Seconds without an answer of the bus after which that is its trouble, before the attempt is given up.

With `PROBE_INTERVAL` and the second until it is reported, health names a bus that takes nothing within 5 s.
"""

PROBE_INTERVAL = 1.0
"""Seconds after which a bus that was not used is asked whether it would take an event."""


class Relay:
    """Publishes committed events on `bus`, in the order of their numbers, and marks them as published.

    `on_relayed` is called with the number of events that were published, or given up, after each batch. Each wait for
    the database is within `step`, so that somebody may watch how long it takes.
    """

    def __init__(
        self,
        bus: Bus,
        on_relayed: Callable[[int], None] = lambda _: None,
        step: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._bus, self._on_relayed, self._step = bus, on_relayed, step
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._repetition = Repetition()
        self._reason = ""
        self._asked_at: float | None = None
        self._answered_at = time.monotonic()
        self._outbox = PendingEvents()

    @property
    def trouble(self) -> str:
        """Why events wait for the bus at this moment; empty while they do not."""
        if self._asked_at is not None and (waited := time.monotonic() - self._asked_at) > SLOW:
            return self._reason or f"no answer for {waited:.0f} s"
        return self._reason

    def wake(self) -> None:
        """Read the outbox now; may be called from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Relay until cancelled."""
        wakeups.listen(self.wake)
        try:
            while True:
                self._woken.clear()
                await self.drain()
                await self._probe()
                await self._wait(min(settings.RELAY_INTERVAL.total_seconds(), PROBE_INTERVAL))
        finally:
            wakeups.ignore(self.wake)

    async def drain(self) -> int:
        """Publish everything that is pending; return how many events were published or given up."""
        total = 0
        while rows := await self._pending():
            done = await self._publish_batch(rows)
            total += done
            self._on_relayed(done)
            if done < len(rows):
                await asyncio.sleep(RETRY_DELAY)
        return total

    async def _probe(self) -> None:
        """Find out whether the bus would take an event, where none has told so for `PROBE_INTERVAL`."""
        if not self._reason and time.monotonic() < self._answered_at + PROBE_INTERVAL:
            return
        try:
            with self._asking():
                await self._bus.probe()
        except BusUnavailable as exc:
            self._reason = brief(exc)
            if self._repetition.is_new(self._reason):
                logger.warning("No event could be published: %s", self._reason)

    async def _pending(self) -> list[OutboxEvent]:
        with self._step("reading the outbox"):
            return await in_read_thread(self._outbox.read, settings.RELAY_BATCH)

    async def _publish_batch(self, rows: list[OutboxEvent]) -> int:
        """Publish a batch, or as many of its first events as the bus takes: the order must be kept."""
        passing = (BusUnavailable,)
        try:
            return await all_or_each(rows, self._publish, self._publish_one, passing=passing, log=logger, what="events")
        except BusUnavailable as exc:
            self._reason = brief(exc)
            if self._repetition.is_new(self._reason):
                logger.warning("%d events are waiting: %s", len(rows), self._reason)
            return 0

    async def _publish_one(self, row: OutboxEvent) -> bool:
        """Publish one event; return False where the next has to wait for it. One that always fails is given up."""
        try:
            await self._publish([row])
        except BusUnavailable as exc:
            self._reason = brief(exc)
            return False
        except Refused as exc:
            await in_write_thread(outbox.mark_attempt, row, str(exc))
            await self._give_up(row, str(exc))
        except Exception as exc:
            reason = f"{type(exc).__name__}: {exc}"
            if not await in_write_thread(outbox.mark_attempt, row, reason):
                return False
            await self._give_up(row, f"after the last attempt, {reason}")
        return True

    async def _give_up(self, row: OutboxEvent, reason: str) -> None:
        """Let the clients know first: a relay that is killed in between gives the event up once more."""
        await self._bus.skip(row)
        await in_write_thread(outbox.mark_given_up, row)
        logger.error("Event %s (%s) was given up: %s", row.event_id, row.subject, reason)

    async def _publish(self, rows: Sequence[OutboxEvent]) -> None:
        with self._step("reading the outbox"):
            expired = await in_read_thread(outbox.expired_among, rows)
        if expired:
            logger.info("%d events had expired before they could be published.", len(expired))
        valid = [row for row in rows if row.pk not in expired]
        with (
            self._asking(),
            tracing.steps("relay", [(row.traceparent, row.subject) for row in valid]) as traceparents,
        ):
            for row, traceparent in zip(valid, traceparents, strict=True):
                row.traceparent = traceparent
            await self._bus.publish(valid)
        with self._step("marking events as published"):
            await in_write_thread(outbox.mark_published, rows)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Measure how long the bus takes to answer; where the block does not fail, it has no trouble."""
        self._asked_at = time.monotonic()
        try:
            yield
        finally:
            self._asked_at = None
        self._reason, self._answered_at = "", time.monotonic()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
