"""One bridge at a time: the one that holds the lease relays the outbox to the stream, and the stream to the users.

With several shards that is so for each part of the work (`parts`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from nats.aio.client import Client

from common.background_tasks import Work, end, every, first_of, keep_running, unless_stopped
from common.errors import brief
from common.nats import ANSWER_TIMEOUT
from common.redis import eviction_policy
from common.retrying import Repetition
from events.stream import StreamMismatch, ensure_stream, ensure_streams, stream_of
from realtime.bridge import passing
from realtime.bridge.batches import Batches
from realtime.bridge.counts import Counts
from realtime.bridge.forgetting import Forgetting
from realtime.bridge.inbound import Inbound
from realtime.bridge.outbound import Outbound
from realtime.bridge.parts import Part, Share
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

    def __init__(
        self, client: Client, counts: Counts | None = None, part: Part | None = None, share: Share | None = None
    ) -> None:
        self.counts = counts or Counts()
        self._part, self._share = part or Part(), share or Share()
        self.lease = self._part.lease(self._share.has_room)
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
        reporter = asyncio.create_task(_keep_running("status report", report))
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
        if self._part.delivers:
            await report_status(self._context, self._part.shard)

    async def _take_turn(self) -> None:
        """Be active until the lease is lost or something fails."""
        self._share.held.append(self._part)
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
            self._share.held.remove(self._part)
            await self.lease.release()

    def _warn(self, text: str) -> None:
        if self._repetition.is_new(text):
            logger.warning(text)

    async def _be_active(self) -> None:
        inbound, self._outbound = await self._begin()
        works: dict[str, Coroutine[Any, Any, None]] = {"lease": self.lease.keep(), "watchdog": self._watchdog.run()}
        if self._share.total > 1:
            works["share"] = self._share.keep(self._part)
        if inbound is not None:
            works["inbound"] = inbound.run()
            works["forgetting"] = _keep_running("forgetting", Forgetting(self._part.shard).run)
        if self._outbound is not None:
            works["relay"] = _keep_running("relay", self._outbound.run)
            replay = DeadLetterReplay(self._client, self.counts)
            works["replays"] = _keep_running("replay of dead letters", replay.run)
        tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await first_of(*tasks, *([stopped] if inbound is None else []))
        finally:
            stopped.cancel()
            self._outbound = None
            await end(*tasks)
            if inbound is not None:
                await inbound.close()

    async def _catch_up(self) -> None:
        """Relay the outbox, and deliver the stream up to its present end."""
        inbound, outbound = await self._begin()
        tasks = [asyncio.create_task(self.lease.keep())]
        delivering = asyncio.create_task(inbound.run()) if inbound is not None else None
        if delivering is not None:
            tasks.append(delivering)
        try:
            if outbound is not None:
                await outbound.drain()
                await DeadLetterReplay(self._client, self.counts).replay()
            if inbound is not None and delivering is not None:
                newest = (await self._context.stream_info(stream_of(self._part.shard))).state.last_seq
                tasks.append(asyncio.create_task(inbound.position.wait_for(newest)))
                await first_of(*tasks)
                self.stop()
                await delivering
        finally:
            await end(*tasks)
            if inbound is not None:
                await inbound.close()

    async def _begin(self) -> tuple[Inbound | None, Outbound | None]:
        """Find the streams and the position in ours, and open the consumer there."""
        shard = self._part.shard
        if not self._part.delivers:
            await ensure_streams(self._context)
            logger.info("Relaying the outbox to the streams of all shards.")
            return None, Outbound(self._turn(Position("", 0)), newest=0)
        if (policy := await eviction_policy(shard)) not in ("", "noeviction"):
            self._warn(f"Redis evicts keys ({policy}): clients will get the state more often. Use noeviction.")
        info = await ensure_stream(self._context, shard)
        position = await Position.load(self._context, info, shard)
        turn = self._turn(position)
        batches = Batches(turn)
        self._inbound = inbound = Inbound(turn, batches)
        await inbound.open()
        await batches.begin()
        return inbound, Outbound(turn, newest=info.state.last_seq) if self._part.relays else None

    def _turn(self, position: Position) -> Turn:
        return Turn(self._client, self.lease, position, self.counts, self._watchdog, self._stopping)


async def _keep_running(name: str, loop: Work) -> None:
    await keep_running(name, loop, passing=PASSING, ends_with=(NotActive,), delay=passing.RETRY_DELAY)
