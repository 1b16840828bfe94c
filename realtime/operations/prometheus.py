"""The metrics as Prometheus reads them: what was counted (`metrics`), and what is looked up when somebody asks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

import prometheus_client
from django.conf import settings
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from common.clock import shared_clock
from common.shards import shard_count
from events.dead_letters import letters_waiting
from events.outbox import given_up
from events.pending import backlog
from realtime.metrics import BUCKETS, FAMILIES, Cells, Family, table
from realtime.operations.asking import asker
from realtime.operations.health import faults, readiness
from realtime.server.due import overdue
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
    """What is the same whichever process is asked: outbox, letters, codes, bridge. What cannot be known is left out.

    All is looked up at once, each in a thread of its own (`Asker`): a scrape must come back while a server is frozen.
    """

    def collect(self) -> Iterator[Metric]:
        """Look it up."""
        parts = {
            "metrics-outbox": _outbox, "metrics-letters": _letters, "metrics-logins": _logins, "metrics-timers": _timers
        }  # fmt: skip
        if settings.DISTRIBUTED:
            parts["metrics-bridge"] = _bridge
        answers = asker().ask(parts)
        for name in parts:
            with contextlib.suppress(*faults()):
                yield from answers.of(name)


def _outbox() -> list[Metric]:
    waiting = backlog()
    return [
        GaugeMetricFamily("nebengjek_outbox_backlog", "Events that wait for the bus.", waiting.events),
        GaugeMetricFamily("nebengjek_outbox_age_seconds", "How long the oldest of them waits.", waiting.age),
        GaugeMetricFamily("nebengjek_outbox_given_up", "Events that were given up.", given_up()),
    ]


def _timers() -> list[Metric]:
    text = "By how much the oldest thing that is due is late."
    return [GaugeMetricFamily("nebengjek_timers_overdue_seconds", text, overdue())]


def _letters() -> list[Metric]:
    return [GaugeMetricFamily("nebengjek_dead_letters", "Dead letters that were never replayed.", letters_waiting())]


def _logins() -> list[Metric]:
    limit = settings.OTP_MAX_PER_HOUR_OVERALL
    suspicions = CounterMetricFamily("nebengjek_suspicions", "What may be an attack, by kind.", labels=["kind"])
    for kind, count in tallies().items():
        suspicions.add_metric([kind], count)
    return [
        GaugeMetricFamily("nebengjek_codes_last_hour", "Codes sent within the last hour.", codes_of_the_hour()),
        GaugeMetricFamily("nebengjek_codes_limit", "The most codes that may be sent within an hour.", limit),
        suspicions,
    ]


def _bridge() -> list[Metric]:
    """With several shards the series have the label `shard`, and one says whether the outbox is relayed."""
    from realtime.bridge.status import has_relay, read_status  # not in a process that stands alone

    count = shard_count()
    labels = ["shard"] if count > 1 else []
    active = GaugeMetricFamily("nebengjek_bridge_active", "1 where a bridge is at work.", labels=labels)
    lag = GaugeMetricFamily("nebengjek_bridge_lag", "Messages of the stream yet to be delivered.", labels=labels)
    statuses = [read_status(), *map(read_status, range(1, count))]
    for shard, status in enumerate(statuses):
        active.add_metric([str(shard)][: len(labels)], float(status.is_active))
        if status.lag is not None:
            lag.add_metric([str(shard)][: len(labels)], status.lag)
    held, stuck = float(bool(statuses[0].trouble)), max(status.stuck for status in statuses)
    shown: list[Metric] = [
        active,
        GaugeMetricFamily("nebengjek_bridge_held", "1 while NATS takes no events of the active bridge.", held),
        GaugeMetricFamily("nebengjek_bridge_stuck_seconds", "For how long messages wait and none moves.", stuck),
        *([lag] if lag.samples else []),
    ]
    if count > 1:
        text = "1 where a bridge relays the outbox."
        shown.append(GaugeMetricFamily("nebengjek_bridge_relays", text, float(has_relay())))
    return shown


class Skew(Collector):
    """How wrong the clock of this process is."""

    def collect(self) -> Iterator[Metric]:
        """Compare it with the database's, as that was measured."""
        text = "By how much the clock of this process is ahead of the database's."
        yield GaugeMetricFamily("nebengjek_clock_skew_seconds", text, round(shared_clock().skew, 3))


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


class Ready(Collector):
    """Whether sockets can be served here, by what is asked for that: what `/health/ready` says."""

    def collect(self) -> Iterator[Metric]:
        """Ask."""
        family = GaugeMetricFamily("nebengjek_ready", "1 where a check of /health/ready is well.", labels=["check"])
        for name, good in readiness().items():
            family.add_metric([name], float(good))
        yield family


def exposition() -> bytes:
    """Return what a web process shows."""
    registry = CollectorRegistry()
    registry.register(Counted())
    registry.register(LookedUp())
    registry.register(Ready())
    registry.register(Skew())
    if not settings.METRICS_FOLDER:  # it knows this process alone
        ProcessCollector(registry=registry)
    return prometheus_client.generate_latest(registry)


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
