"""One bridge at a time: the one that holds the lease relays the outbox to the stream, and the stream to the users."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from nats.aio.client import Client

from common.background_tasks import Work, end, every, first_of, keep_running, unless_stopped
from common.errors import brief
from common.nats import ANSWER_TIMEOUT
from common.redis import eviction_policy
from common.retrying import Repetition
from events.stream import STREAM, StreamMismatch, ensure_stream
from realtime.bridge import passing
from realtime.bridge.batches import Batches
from realtime.bridge.counts import Counts
from realtime.bridge.forgetting import Forgetting
from realtime.bridge.inbound import Inbound
from realtime.bridge.lease import Lease
from realtime.bridge.outbound import Outbound
from realtime.bridge.passing import PASSING
from realtime.bridge.position import Position
from realtime.bridge.replay import DeadLetterReplay
from realtime.bridge.status import STATUS_INTERVAL, report_status, report_trouble
from realtime.bridge.turn import Turn
from realtime.bridge.watchdog import Stalled, Watchdog
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
        self._outbound: Outbound | None = None
        self._watchdog = Watchdog()
        self._repetition = Repetition()

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
        report = every(STATUS_INTERVAL, self._report)
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

    async def _report(self) -> None:
        """Say how the active bridge is, where that is this one, and how far the stream has been delivered."""
        if self._outbound is not None:
            await report_trouble(self._outbound.trouble)
        await report_status(self._context)

    async def _take_turn(self) -> None:
        """Be active until the lease is lost or something fails."""
        try:
            await self._be_active()
        except Stalled as exc:
            self._warn(f"Standing down: {brief(exc)}")
            await self.lease.release()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._watchdog.limit):  # another one is to have the lease
                    await self._stopping.wait()
        except NotActive as exc:
            self._warn(f"Standing down: {brief(exc)}")
        except StreamMismatch:
            raise
        except PASSING as exc:
            self._warn(f"Restarting: {brief(exc)}")
            await asyncio.sleep(passing.RETRY_DELAY)
        except Exception:
            logger.exception("The bridge failed and is restarting.")
            await asyncio.sleep(passing.RETRY_DELAY)
        finally:
            await self.lease.release()

    def _warn(self, text: str) -> None:
        if self._repetition.is_new(text):
            logger.warning(text)

    async def _be_active(self) -> None:
        inbound, self._outbound = await self._begin()
        outbound = self._outbound
        replay = DeadLetterReplay(self._client, self.counts)
        tasks = [
            asyncio.create_task(inbound.run(), name="inbound"),
            asyncio.create_task(self.lease.keep(), name="lease"),
            asyncio.create_task(self._watchdog.run(), name="watchdog"),
            asyncio.create_task(self._keep_running("relay", outbound.run), name="relay"),
            asyncio.create_task(self._keep_running("replay of dead letters", replay.run), name="replays"),
            asyncio.create_task(self._keep_running("forgetting", Forgetting().run), name="forgetting"),
        ]
        try:
            await first_of(*tasks)
        finally:
            self._outbound = None
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
        if (policy := await eviction_policy()) not in ("", "noeviction"):
            self._warn(f"Redis evicts keys ({policy}): clients will get the state more often. Use noeviction.")
        info = await ensure_stream(self._context)
        position = await Position.load(self._context, info)
        turn = Turn(self._client, self.lease, position, self.counts, self._watchdog, self._stopping)
        batches = Batches(turn)
        self._inbound = inbound = Inbound(turn, batches)
        await inbound.open()
        if not position.is_certain:
            logger.warning("Going on after %d, which is uncertain: all clients get the state.", position.sequence)
            await batches.skip_to(position.sequence)
        return inbound, Outbound(turn, newest=info.state.last_seq)

    @staticmethod
    async def _keep_running(name: str, loop: Work) -> None:
        await keep_running(name, loop, unavailable=PASSING, ends_with=(NotActive,), delay=passing.RETRY_DELAY)
