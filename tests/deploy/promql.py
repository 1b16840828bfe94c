"""What PromQL expressions ask for, held against what the processes show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from realtime.bridge import status
from realtime.bridge.counts import Counts
from realtime.bridge.status import Status
from realtime.operations import prometheus
from realtime.operations.prometheus import Done, exposition
from realtime.operations.worker import Pulse

Shown = dict[str, list[dict[str, str]]]
"""The labels of every series, by the name of the metric."""

OF_PROMETHEUS: Shown = {
    "up": [{}],
    "probe_success": [{}],
    "ALERTS": [{"alertname": "NebengJekNotReady", "alertstate": "firing", "severity": "critical"}],
}
"""Series that are not ours: of the scrape, of blackbox_exporter, and of the rules."""

OF_THE_SCRAPE = {
    "job": {"nebengjek-web", "nebengjek-bridge", "nebengjek-dispatcher", "nebengjek-ready"},
    "instance": {"localhost:8001"},
    "shard": {"0", "1"},
}
"""The labels that Prometheus adds to every series, and the one that those of the bridges have with several shards."""


def shown_by_all(monkeypatch: Any, settings: Any) -> Shown:
    """Return what a web process of many and a bridge show; it needs a database."""
    settings.DISTRIBUTED = True
    monkeypatch.setattr(status, "read_status", lambda: Status(is_active=True, lag=0))
    monkeypatch.setattr(prometheus, "readiness", lambda: dict.fromkeys(("database", "redis"), True))
    bridge = CollectorRegistry()
    bridge.register(Done(lambda: dict.fromkeys(Counts.__struct_fields__, 0)))
    bridge.register(Pulse())
    shown: Shown = {name: list(series) for name, series in OF_PROMETHEUS.items()}
    for text in (exposition(), generate_latest(bridge)):
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                shown.setdefault(sample.name, []).append(sample.labels)
    return shown


def parse(expression: str) -> promql_parser.Expr:
    """Return the tree of an expression, with a value for each variable of a dashboard; raise `ValueError`."""
    for variable, value in {"$__rate_interval": "5m", "$instance": ".+"}.items():
        expression = expression.replace(variable, value)
    return promql_parser.parse(expression)


def faults(expression: str, shown: Shown) -> Iterator[str]:
    """Say what an expression asks for that nobody shows: metrics, labels, values of labels."""
    nodes: list[Any] = []
    promql_parser.walk(parse(expression), nodes.append)
    for node in nodes:
        match node:
            case promql_parser.VectorSelector():
                yield from _faults_of(node, shown)
            case promql_parser.AggregateExpr() if node.modifier is not None:
                unknown = set(node.modifier.labels) - _labels(node.expr, shown)
                yield from (f"by {label}: no such label" for label in sorted(unknown))


def _faults_of(selector: promql_parser.VectorSelector, shown: Shown) -> Iterator[str]:
    name = selector.name or ""
    if name not in shown:
        yield f"{name}: no such metric"
        return
    for matcher in selector.matchers.matchers:
        values = {series[matcher.name] for series in shown[name] if matcher.name in series}
        values |= OF_THE_SCRAPE.get(matcher.name, set())
        parts = [matcher.value] if "(" in matcher.value else matcher.value.split("|")
        if not all(any(re.fullmatch(part, value) for value in values) for part in parts):
            yield f"{name}: {matcher.name} is never {matcher.value}"


def _labels(expression: promql_parser.Expr, shown: Shown) -> set[str]:
    nodes: list[Any] = []
    promql_parser.walk(expression, nodes.append)
    names = [node.name or "" for node in nodes if isinstance(node, promql_parser.VectorSelector)]
    return {label for name in names for series in shown.get(name, []) for label in series} | set(OF_THE_SCRAPE)
