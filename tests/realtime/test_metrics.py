import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from common.errors import DomainError, ErrorCode, RateLimited, Unauthorized
from common.metric_files import worker_ended
from realtime import metrics
from realtime.commands.routes import ROUTES
from realtime.contract import frames as protocol
from realtime.contract.frames import CloseCode
from realtime.metrics import BUCKETS, FAMILIES, OTHER
from realtime.operations.prometheus import Counted
from tests.metrics import Samples, read_metrics, value_of

A = UUID(int=1)


def shown() -> Samples:
    """All that is counted."""
    registry = CollectorRegistry()
    registry.register(Counted())
    return read_metrics(generate_latest(registry).decode())


def value(name: str, **labels: str) -> float:
    """What is counted of one series."""
    return value_of(shown(), name, **labels)


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("ack", "ack"),
        ("server_restarting", "server_restarting"),
        ("ride_pickup", "ride_pickup"),
        ("error", "error"),
        ("something new", OTHER),
        ("", OTHER),
    ],
)
def test_a_frame_is_counted_by_its_type(sent: str, kind: str) -> None:
    """What is sent is counted by its type, and what nobody knows together."""
    metrics.sent(sent)
    assert value("frames_total", direction="out", type=kind) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DomainError("no"), ErrorCode.INTERNAL_ERROR),
        (Unauthorized("no"), ErrorCode.UNAUTHORIZED),
        (RateLimited("no", retry_after=1), ErrorCode.RATE_LIMIT),
    ],
)
def test_an_error_is_counted_by_its_code_with_and_without_an_id(error: DomainError, code: str) -> None:
    for command_id in (None, "x"):
        metrics.refused(protocol.error(error, command_id)["data"]["code"])
    stored: dict[str, Any] = {"type": "error", "data": {**protocol.error_data(error), "code": str(code)}}
    metrics.refused(stored["data"]["code"])
    assert value("errors_total", code=code) == 3
    assert value("errors_total", code=OTHER) == 0


def test_what_is_handled_is_counted_and_measured() -> None:
    for _ in range(2):
        metrics.handled("sync", time.perf_counter() - 3)
    assert value("frames_total", direction="in", type="sync") == 2
    assert value("handler_seconds_count", type="sync") == value("handler_seconds_bucket", type="sync", le="10.0") == 2
    assert value("handler_seconds_bucket", type="sync", le="2.5") == 0
    assert 6 <= value("handler_seconds_sum", type="sync") < 20


def test_types_that_nobody_knows_make_no_series() -> None:
    before = set(shown())
    for number in range(100):
        metrics.handled(f"kind-{number}", 0.0)
        metrics.sent(f"kind-{number}")
        metrics.closed(3000 + number)
    metrics.handled("", 0.0)
    assert set(shown()) == before
    assert value("frames_total", direction="in", type="invalid") == 101
    assert value("frames_total", direction="out", type=OTHER) == 100
    assert value("closed_total", code=OTHER) == 100


@pytest.mark.parametrize("seconds", [0.0, BUCKETS[0], 0.3, BUCKETS[-1], 1000.0])
def test_a_time_is_in_every_bucket_that_is_not_below_it(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.metrics.time", lambda: 2000.0 + seconds)
    metrics.delivered(2000.0)
    for bound in BUCKETS:
        assert value("delivery_seconds_bucket", le=str(bound)) == (seconds <= bound)
    assert value("delivery_seconds_bucket", le="+Inf") == value("delivery_seconds_count") == 1
    assert value("delivery_seconds_sum") == pytest.approx(seconds)


def test_an_event_of_unknown_age_and_a_clock_that_is_behind_do_no_harm() -> None:
    metrics.delivered(0)
    metrics.delivered(time.time() + 100)
    assert value("delivery_seconds_count") == 1
    assert value("delivery_seconds_sum") == 0


def test_everything_else_is_counted_by_its_label() -> None:
    metrics.joined("driver")
    metrics.joined("driver")
    metrics.left("driver")
    metrics.closed(CloseCode.REPLACED)
    metrics.refilled(by_state=True)
    metrics.refilled(by_state=False)
    metrics.limited("costly")
    metrics.dropped()
    assert value("connections", role="driver") == 1
    assert value("connections", role="passenger") == 0
    assert value("closed_total", code="4409") == 1
    assert value("history_refills_total", by="state") == value("history_refills_total", by="history") == 1
    assert value("rate_limited_total", limit="costly") == 1
    assert value("layer_dropped_total") == 1


def test_totals_tell_frames_in_and_out_and_the_errors_among_them() -> None:
    metrics.handled("location_update", time.perf_counter())
    metrics.handled("nonsense", time.perf_counter())
    metrics.sent("ack")
    metrics.sent("error")
    metrics.refused("INTERNAL_ERROR")
    metrics.sent("something new")
    assert metrics.totals() == metrics.Totals(frames_in=2, frames_out=3, errors=1)


def test_every_series_has_cells_of_its_own() -> None:
    cells = [place + n for family in FAMILIES for place in family.places.values() for n in range(family.width)]
    assert cells == list(range(len(metrics.cells)))
    assert 0 not in [place for family in FAMILIES if family.name.endswith("frames") for place in family.places.values()]
    assert {kind for direction, kind in metrics._frames if direction == "in"} == {*ROUTES, metrics.INVALID}


def test_the_tables_of_all_workers_are_added_up(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_FOLDER = str(tmp_path)
    for pid in (11, 12, 13):
        monkeypatch.setattr("realtime.metrics.os.getpid", lambda pid=pid: pid)
        monkeypatch.setattr(metrics, "cells", metrics._open_cells())
        metrics.joined("driver")
        metrics.sent("ack")
    (tmp_path / "14.live").touch()  # begins just now
    assert value("connections", role="driver") == value("frames_total", direction="out", type="ack") == 3
    worker_ended(tmp_path, 12)
    worker_ended(tmp_path, 99)
    assert value("connections", role="driver") == 2
    assert value("frames_total", direction="out", type="ack") == 3
