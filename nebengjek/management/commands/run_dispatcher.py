"""`manage.py run_dispatcher`: what is due, for many processes."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from common.background_tasks import end
from common.ending import end_in_time
from common.loops import run
from common.tracing import tracing
from realtime.operations.health import Check, Checks, database_check, redis_check
from realtime.operations.worker import Pulse, add_port_arguments, serve_worker
from realtime.server.background import Dispatcher


class Command(BaseCommand):
    """Look after proposals that expire, searches that go on, and records that are no longer kept."""

    help = "Run the timers: any number of these may run, each thing that is due is done once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say where to show metrics and health, if anywhere."""
        add_port_arguments(parser)

    def handle(self, *args: Any, metrics_port: int | None, metrics_address: str, **options: Any) -> None:
        """Run until SIGTERM or Ctrl-C, then finish what is in hand."""
        self._pulse, self._dispatcher = Pulse(), Dispatcher()
        if metrics_port is not None:
            serve_worker(metrics_address, metrics_port, self._pulse, self._checks())
        tracing.start("dispatcher")
        try:
            run(self._run())
        finally:
            tracing.stop()

    def _checks(self) -> Checks:
        servers: Checks = {"redis": redis_check} if settings.DISTRIBUTED else {}
        return {"database": database_check, "timers": self._timers, **servers}

    def _timers(self) -> Check:
        """Whether everything runs, and nothing has failed a moment ago."""
        failing = self._dispatcher.failing
        return {"ok": self._dispatcher.is_running and not failing, "failing": failing}

    async def _run(self) -> None:
        stopping = asyncio.Event()

        def stop() -> None:
            stopping.set()
            end_in_time()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        beating = asyncio.create_task(self._pulse.run())
        self._dispatcher.start()
        self.stdout.write("Looking after what is due.")
        self.stdout.flush()
        await stopping.wait()
        await self._dispatcher.stop()
        await end(beating)
        self.stdout.write("Done.")
