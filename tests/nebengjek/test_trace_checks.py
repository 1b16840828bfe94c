"""Mistakes in what turns traces on."""

from typing import Any

import pytest

from nebengjek import checks, trace_checks
from tests.nebengjek.test_checks import ids


@pytest.mark.parametrize(
    ("variables", "identifier"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "nebengjek.E026"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://"}, "nebengjek.E026"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1"}, "nebengjek.E026"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:port"}, "nebengjek.E026"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "nebengjek.E027"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "nebengjek.E027"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "many"}, "nebengjek.E029"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, "nebengjek.E029"),
        ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "-1"}, "nebengjek.E029"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "²"}, "nebengjek.E029"),
        ({"OTEL_SDK_DISABLED": "TRUE"}, "nebengjek.W012"),
    ],
    ids=lambda value: " ".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else value,
)
def test_traces_that_would_not_come_are_reported(
    settings: Any, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], identifier: str
) -> None:
    """What the SDK only logs, or does not start for; without traces it does not matter."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ids(trace_checks.check_tracing()) == []
    settings.TRACING = True
    assert ids(trace_checks.check_tracing()) == [identifier]


@pytest.mark.parametrize(
    ("sampler", "argument", "is_fine"),
    [
        ("parentbased_always_on", "", True),
        ("PARENTBASED_TraceIdRatio", "0.01", True),
        ("traceidratio", "", False),
        ("traceidratio", "1.1", False),
        ("traceidratio", "nan", False),
        ("parentbased_traceidratio", "1%", False),
        ("always", "", False),
    ],
)
def test_a_sampler_is_one_of_the_specification(settings: Any, sampler: str, argument: str, is_fine: bool) -> None:
    """A misspelt one would record everything."""
    settings.TRACING, settings.OTEL_TRACES_SAMPLER, settings.OTEL_TRACES_SAMPLER_ARG = True, sampler, argument
    assert ids(trace_checks.check_tracing()) == ([] if is_fine else ["nebengjek.E028"])


def test_variables_of_opentelemetry_are_not_taken_for_misspelt_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those for traces alone are nearly like those for all signals."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPIONT", "http://collector:4318")
    [problem] = checks.check_spelling()
    assert "OTEL_EXPORTER_OTLP_ENDPIONT is not a setting; did you mean OTEL_EXPORTER_OTLP_ENDPOINT?" in problem.msg
