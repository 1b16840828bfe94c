"""Steps as spans: what is exported of them, and what the variables of OpenTelemetry make of it."""

from __future__ import annotations

from typing import Any

import pytest

from common.tracing import tracing
from tests.collector import Collector

GOOD = f"00-{'ab' * 16}-{'cd' * 8}-01"


def test_the_sdk_may_be_disabled(settings: Any, monkeypatch: pytest.MonkeyPatch, traces: Collector) -> None:
    """Then steps do nothing, and there is no `traceparent` of zeros."""
    tracing.stop()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing.start("web")
    with tracing.step("frame") as traceparent, tracing.step("command") as inner:
        assert traceparent == inner == tracing.trace_id() == ""
    with tracing.follow(GOOD, "socket"), tracing.steps("relay", [("", "x")]) as traceparents:
        assert traceparents == [""]
    tracing.stop()
    assert traces.spans == []


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_SERVICE_NAME"])
def test_empty_variables_are_as_if_not_set(monkeypatch: pytest.MonkeyPatch, traces: Collector, name: str) -> None:
    """As in a copy of settings.example.env."""
    tracing.stop()
    monkeypatch.setenv(name, "")
    if name == "OTEL_EXPORTER_OTLP_ENDPOINT":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{traces.url}/v1/traces")
    tracing.start("web")
    with tracing.step("frame"):
        pass
    tracing.stop()
    assert [(span.name, span.service) for span in traces.spans] == [("frame", "nebengjek-web")]


def test_steps_are_nested_and_end_with_their_errors(traces: Collector) -> None:
    """An error is named by its class, not by its text, which may name people; what goes wrong is not swallowed."""

    def fail() -> None:
        tracing.note(answer=None, count=3, text="é\ud800")
        with tracing.steps("relay", [("", "a"), (GOOD, "b"), ("nonsense", "c")]):
            raise ValueError("Putri, +6281200000003")

    with pytest.raises(ValueError, match="Putri"), tracing.step("frame", "sync"):
        fail()
    tracing.stop()
    by_name = {span.name: span for span in traces.spans}
    assert {span.failed for span in traces.spans} == {"ValueError"}
    assert by_name["frame sync"].attributes == {"nebengjek.count": 3, "nebengjek.text": "é?"}
    assert by_name["relay b"].trace == "ab" * 16
    assert not by_name["relay a"].parent
    assert not by_name["relay c"].parent
