"""The metrics as Prometheus reads them: what was counted (`metrics`), and what is looked up when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from threading import Thread
from wsgiref.simple_server import WSGIServer

import prometheus_client
from django.conf import settings
from django.db import DatabaseError
from django.db import connections as databases
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from common.redis import AWAY
from events.outbox import backlog
from realtime.bridge.status import read_status
from realtime.metrics import BUCKETS, FAMILIES, Cells, Family, table
from users.codes import codes_of_the_hour
from users.tallies import tallies

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_PLAIN_0_0_4
BOUNDS = (*map(str, BUCKETS), "+Inf")


class Counted(Collector):
    """What this process has counted, or all workers of its port."""

    def collect(self) -> Iterator[Metric]:
        """Read the table."""
        cells = table()
        for family in FAMILIES:
            yield _metric(family, cells)


class LookedUp(Collector):
    """What is the same whichever process is asked: outbox, codes, bridge. What cannot be known is left out."""

    def collect(self) -> Iterator[Metric]:
        """Look it up."""
        yield from self._outbox()
        yield from self._logins()
        if settings.DISTRIBUTED:
            yield from self._bridge()

    def _outbox(self) -> Iterator[Metric]:
        try:
            waiting = backlog()
        except DatabaseError:
            return
        yield GaugeMetricFamily("nebengjek_outbox_backlog", "Events that wait for the bus.", waiting.events)
        yield GaugeMetricFamily("nebengjek_outbox_age_seconds", "How long the oldest of them waits.", waiting.age)

    def _logins(self) -> Iterator[Metric]:
        try:
            sent, counted = codes_of_the_hour(), tallies()
        except DatabaseError:
            return
        yield GaugeMetricFamily("nebengjek_codes_last_hour", "One-time codes sent within the last hour.", sent)
        limit = settings.OTP_MAX_PER_HOUR_OVERALL
        yield GaugeMetricFamily("nebengjek_codes_limit", "The most codes that may be sent within an hour.", limit)
        suspicions = CounterMetricFamily("nebengjek_suspicions", "What may be an attack, by kind.", labels=["kind"])
        for kind, count in counted.items():
            suspicions.add_metric([kind], count)
        yield suspicions

    def _bridge(self) -> Iterator[Metric]:
        try:
            status = read_status()
        except AWAY:
            return
        yield GaugeMetricFamily("nebengjek_bridge_active", "1 where a bridge is at work.", float(status.is_active))
        if status.lag is not None:
            yield GaugeMetricFamily("nebengjek_bridge_lag", "Messages of the stream yet to be delivered.", status.lag)


class Done(Collector):
    """What a bridge has done, by its own count."""

    def __init__(self, progress: Callable[[], Mapping[str, int]]) -> None:
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Ask it."""
        text = "Messages by what became of them."
        family = CounterMetricFamily("nebengjek_bridge_messages", text, labels=["result"])
        for result, count in self._progress().items():
            family.add_metric([result], count)
        yield family


class Tidy(Collector):
    """`LookedUp` for threads that are not ours: it leaves no connection to the database behind."""

    def collect(self) -> Iterator[Metric]:
        """Look it up."""
        try:
            yield from LookedUp().collect()
        finally:
            databases.close_all()


def exposition() -> bytes:
    """Return what a web process shows."""
    registry = CollectorRegistry()
    registry.register(Counted())
    registry.register(LookedUp())
    if not settings.METRICS_FOLDER:  # it knows this process alone
        ProcessCollector(registry=registry)
    return prometheus_client.generate_latest(registry)


def serve_metrics(port: int, *more: Collector) -> tuple[WSGIServer, Thread]:
    """Show, on the loopback address, what a process without a web server knows; for as long as it lives."""
    registry = CollectorRegistry()
    registry.register(Tidy())
    ProcessCollector(registry=registry)
    for collector in more:
        registry.register(collector)
    return prometheus_client.start_http_server(port, "127.0.0.1", registry)


def _metric(family: Family, cells: Cells) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.text, labels=family.labels)
        for labels, place in family.places.items():
            counts = accumulate(cells[place : place + len(BOUNDS)])
            total = cells[place + len(BOUNDS)]
            histogram.add_metric(labels, list(zip(BOUNDS, counts, strict=True)), total)
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    plain = kind(family.name, family.text, labels=family.labels)
    for labels, place in family.places.items():
        plain.add_metric(labels, cells[place])
    return plain
