"""What a process without sockets shows over HTTP, on a port of its own: metrics, and how it is.

`/health/live` says whether its event loop turns (503 otherwise: start it again), `/health/ready` what it stands on, by
name (503 where something is not well), and every other path the metrics. It runs in threads, so that an event loop that
hangs is seen.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from threading import Thread
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIServer

import prometheus_client
from django.core.management.base import CommandParser
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.operations.health import Check, Checks, asked
from realtime.operations.prometheus import LookedUp, Skew

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

INTERVAL = 0.5
"""Seconds between two beats."""

LATEST = 10.0
"""Seconds without a beat after which the event loop counts as dead; a suspended process gets as long to come back."""


class Pulse(Collector):
    """The beat of an event loop, as other threads see it."""

    def __init__(self) -> None:
        self._beaten_at = time.monotonic()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._beaten_at = time.monotonic()
            await asyncio.sleep(INTERVAL)

    @property
    def lag(self) -> float:
        """Seconds by which a beat is overdue."""
        return max(0.0, time.monotonic() - self._beaten_at - INTERVAL)

    def check(self) -> Check:
        """Whether the event loop turns."""
        return {"ok": self.lag < LATEST, "lag": round(self.lag, 3)}

    def collect(self) -> Iterable[Metric]:
        """Show the lag."""
        text = "By how much the event loop is late at this moment."
        yield GaugeMetricFamily("nebengjek_worker_lag_seconds", text, self.lag)


def add_port_arguments(parser: CommandParser) -> None:
    """Let a command take `--metrics-port` and `--metrics-address`."""
    parser.add_argument("--metrics-port", type=int, help="show metrics and health (/health/ready) on this port")
    parser.add_argument(
        "--metrics-address", default="127.0.0.1", help="of this address (%(default)s; 0.0.0.0 for all, within a pod)"
    )


def serve_worker(address: str, port: int, pulse: Pulse, checks: Checks, *more: Collector) -> tuple[WSGIServer, Thread]:
    """Show `checks` and metrics on an address of this machine, for as long as the process lives."""
    registry = CollectorRegistry()
    for collector in (LookedUp(), Skew(), pulse, *more):
        registry.register(collector)
    ProcessCollector(registry=registry)
    server, thread = prometheus_client.start_http_server(port, address, registry)
    metrics = server.get_app()
    assert metrics is not None

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/health/live":
                return _said({"loop": pulse.check()}, start_response)
            case "/health/ready":
                return _said({"loop": pulse.check(), **asked(checks)}, start_response)
        return metrics(environ, start_response)

    server.set_app(app)
    return server, thread


def _said(checks: dict[str, Check], start_response: StartResponse) -> list[bytes]:
    good = all(check["ok"] for check in checks.values())
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    start_response("200 OK" if good else "503 Service Unavailable", headers)
    return [json.dumps({"status": "ok" if good else "unavailable", **checks}).encode()]
