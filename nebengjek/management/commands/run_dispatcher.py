"""`manage.py run_dispatcher`: what is due, for many processes."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from common.loops import run
from realtime.operations.prometheus import serve_metrics
from realtime.server.background import Dispatcher


class Command(BaseCommand):
    """Look after proposals that expire, searches that go on, and records that are no longer kept."""

    help = "Run the timers: any number of these may run, each thing that is due is done once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say whether to show metrics."""
        parser.add_argument("--metrics-port", type=int, help="show metrics on this port of 127.0.0.1")

    def handle(self, *args: Any, metrics_port: int | None, **options: Any) -> None:
        """Run until SIGTERM or Ctrl-C, then finish what is in hand."""
        if metrics_port is not None:
            serve_metrics(metrics_port)
        run(self._run())

    async def _run(self) -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        dispatcher = Dispatcher()
        dispatcher.start()
        self.stdout.write("Looking after what is due.")
        self.stdout.flush()
        await stopping.wait()
        await dispatcher.stop()
        self.stdout.write("Done.")
