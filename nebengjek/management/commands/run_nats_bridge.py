"""`manage.py run_nats_bridge`: relay the outbox to NATS, and deliver the stream to the users."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from nats.aio.client import Client

from common import clock
from common.background_tasks import end, every, keep_running, unless_stopped
from common.ending import end_in_time
from common.garbage import collect_seldom
from common.loops import run
from common.nats import connect_to_nats
from common.redis import close_async_redis
from common.roll import Roll
from common.tracing import tracing
from events.stream import STREAM, SUBJECTS, StreamMismatch
from realtime.bridge.bridge import Bridge
from realtime.bridge.counts import Counts
from realtime.bridge.parts import Share, parts
from realtime.bridge.reading import events_by_subject
from realtime.operations.health import Check, Checks, bridge_check, database_check, redis_check
from realtime.operations.prometheus import Done
from realtime.operations.worker import Pulse, add_port_arguments, serve_worker


class Command(BaseCommand):
    """Relay the outbox to the stream, and deliver the stream to the users."""

    help = "Bridge NATS and the sockets: one process is active, others stand by."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take `--once`, and where to show metrics and health."""
        parser.add_argument("--once", action="store_true", help="relay and deliver what is pending, and exit")
        add_port_arguments(parser)

    def handle(self, *args: Any, once: bool, metrics_port: int | None, metrics_address: str, **options: Any) -> None:
        """Run until SIGTERM or Ctrl-C, then finish the batch in hand."""
        if not settings.DISTRIBUTED:
            raise CommandError("Set REDIS_URL and NATS_URL: without them `manage.py serve` does all of this itself.")
        self._counts, self._pulse = Counts(), Pulse()
        self._client: Client | None = None
        self.stdout.write(f"Bridging the stream {STREAM} ({', '.join(SUBJECTS)}) and the sockets:")
        for subject, event in events_by_subject().items():
            self.stdout.write(f"  {subject:18} -> {event.type}")
        self.stdout.flush()
        if metrics_port is not None:
            serve_worker(metrics_address, metrics_port, self._pulse, self._checks(), Done(self._done))
        tracing.start("bridge")
        collect_seldom()
        try:
            run(self._run(once=once))
        except StreamMismatch as exc:
            raise CommandError(str(exc)) from exc
        finally:
            tracing.stop()

    def _done(self) -> dict[str, int]:
        """Return the counts over all connections to NATS."""
        return msgspec.structs.asdict(self._counts)

    def _checks(self) -> Checks:
        return {"database": database_check, "redis": redis_check, "nats": self._nats, "bridge": bridge_check}

    def _nats(self) -> Check:
        """Whether NATS answers: pings find that out."""
        return {"ok": self._client is not None and self._client.is_connected}

    async def _run(self, *, once: bool) -> None:
        stopping = asyncio.Event()

        def stop() -> None:
            stopping.set()
            end_in_time()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        beating, present = asyncio.create_task(self._pulse.run()), asyncio.create_task(Roll("bridge").run())
        measuring = asyncio.create_task(keep_running("clock", every(clock.INTERVAL, clock.measure)))
        try:
            await clock.measure()
            while not stopping.is_set():
                await self._with_one_connection(stopping, once=once)
                if once:
                    return
        finally:
            await end(beating, present, measuring)
            await close_async_redis()

    async def _with_one_connection(self, stopping: asyncio.Event, *, once: bool) -> None:
        """Bridge over one connection to NATS, until `stopping` is set or the library gives the connection up."""
        bridges: list[Bridge] = []

        async def lost() -> None:
            for bridge in bridges:
                bridge.connection_was_lost()

        async def closed() -> None:
            _stop(bridges)

        connecting = connect_to_nats("bridge", disconnected_cb=lost, closed_cb=closed)
        client = await unless_stopped(stopping, connecting)
        if client is None:
            return
        self._client = client
        share = Share()
        bridges += [Bridge(client, self._counts, part, share) for part in parts()]
        try:
            await self._work(bridges, share, stopping, once=once)
        finally:
            self.stdout.write(f"Done: {self._counts}")
            self.stdout.flush()
            await client.close()
            await close_async_redis()

    async def _work(self, bridges: Sequence[Bridge], share: Share, stopping: asyncio.Event, *, once: bool) -> None:
        stopped = asyncio.create_task(stopping.wait())
        stopped.add_done_callback(lambda _: _stop(bridges))
        running = [] if once else [asyncio.create_task(bridge.run()) for bridge in bridges]
        counting = [asyncio.create_task(share.run())] if len(bridges) > 1 else []
        try:
            if once:
                await self._once(bridges)
                return
            await asyncio.gather(*running)
        finally:
            stopped.cancel()
            _stop(bridges)
            await asyncio.gather(*running, return_exceptions=True)
            await end(*counting)

    async def _once(self, bridges: Sequence[Bridge]) -> None:
        for bridge in bridges:
            if not await bridge.run_once():
                self.stdout.write("Another bridge is active and does this.")


def _stop(bridges: Sequence[Bridge]) -> None:
    for bridge in bridges:
        bridge.stop()
