"""One bridge at a time: the one that holds the lease relays the outbox to the stream, and the stream to the users."""

from __future__ import annotations

import asyncio
import logging

from nats.aio.client import Client

from common.background_tasks import Work, end, every, first_of, keep_running, unless_stopped
from common.errors import brief
from common.nats import ANSWER_TIMEOUT
from events.stream import STREAM, StreamMismatch, ensure_stream
from realtime.bridge import passing
from realtime.bridge.batches import Batches
from realtime.bridge.counts import Counts
from realtime.bridge.inbound import Inbound
from realtime.bridge.lease import Lease
from realtime.bridge.outbound import Outbound
from realtime.bridge.passing import PASSING
from realtime.bridge.position import Position
from realtime.bridge.replay import DeadLetterReplay
from realtime.bridge.status import STATUS_INTERVAL, report_status
from realtime.delivery.fence import NotActive

logger = logging.getLogger(__name__)


class Bridge:
    """A bridge over a connection to NATS: `run` until `stop`, or `run_once` until there is nothing to do."""

    def __init__(self, client: Client, counts: Counts | None = None) -> None:
        self.counts = counts or Counts()
        self.lease = Lease()
        self._client = client
        self._context = client.jetstream(timeout=ANSWER_TIMEOUT)
        self._stopping = asyncio.Event()
        self._inbound: Inbound | None = None

    def stop(self) -> None:
        """Finish the batch in hand, and return from `run`."""
        self._stopping.set()
        if self._inbound is not None:
            self._inbound.wake()

    def connection_was_lost(self) -> None:
        """Create the consumer again: messages may have been under way when the connection broke."""
        if self._inbound is not None:
            self._inbound.connection_was_lost()

    async def run(self) -> None:
        """Be the active bridge, or stand by, until `stop`; report the lag in either case."""
        report = every(STATUS_INTERVAL, lambda: report_status(self._context))
        reporter = asyncio.create_task(self._keep_running("status report", report))
        try:
            while await unless_stopped(self._stopping, self.lease.wait_for()):
                await self._take_turn()
        finally:
            await end(reporter)

    async def run_once(self) -> bool:
        """Relay and deliver what is pending now; return False where another bridge is active."""
        if not await self.lease.try_take():
            return False
        try:
            await self._catch_up()
        finally:
            await self.lease.release()
        return True

    async def _take_turn(self) -> None:
        """Be active until the lease is lost or something fails."""
        logger.info("Active: lease=%s", self.lease.token)
        try:
            await self._be_active()
        except NotActive as exc:
            logger.warning("Standing down: %s", brief(exc))
        except StreamMismatch:
            raise
        except PASSING as exc:
            logger.warning("The bridge is restarting: %s", brief(exc))
            await asyncio.sleep(passing.RETRY_DELAY)
        except Exception:
            logger.exception("The bridge failed and is restarting.")
            await asyncio.sleep(passing.RETRY_DELAY)
        finally:
            await self.lease.release()

    async def _be_active(self) -> None:
        inbound, outbound = await self._begin()
        replay = DeadLetterReplay(self._client, self.counts)
        tasks = [
            asyncio.create_task(inbound.run(), name="inbound"),
            asyncio.create_task(self.lease.keep(), name="lease"),
            asyncio.create_task(self._keep_running("relay", outbound.run), name="relay"),
            asyncio.create_task(self._keep_running("replay of dead letters", replay.run), name="replays"),
        ]
        try:
            await first_of(*tasks)
        finally:
            await end(*tasks)
            await inbound.close()

    async def _catch_up(self) -> None:
        """Relay the outbox, and deliver the stream up to its present end."""
        inbound, outbound = await self._begin()
        delivering = asyncio.create_task(inbound.run())
        tasks = [delivering, asyncio.create_task(self.lease.keep())]
        try:
            await outbound.drain()
            await DeadLetterReplay(self._client, self.counts).replay()
            newest = (await self._context.stream_info(STREAM)).state.last_seq
            tasks.append(asyncio.create_task(inbound.position.wait_for(newest)))
            await first_of(*tasks)
            self.stop()
            await delivering
        finally:
            await end(*tasks)
            await inbound.close()

    async def _begin(self) -> tuple[Inbound, Outbound]:
        """Find the stream and the position in it, and open the consumer there."""
        info = await ensure_stream(self._context)
        position = await Position.load(self._context, info)
        batches = Batches(self.lease, position, self.counts)
        self._inbound = inbound = Inbound(self._client, self.lease, position, batches, self._stopping)
        await inbound.open()
        return inbound, Outbound(self._client, self.lease, position, self.counts, newest=info.state.last_seq)

    @staticmethod
    async def _keep_running(name: str, loop: Work) -> None:
        await keep_running(name, loop, unavailable=PASSING, ends_with=(NotActive,), delay=passing.RETRY_DELAY)
