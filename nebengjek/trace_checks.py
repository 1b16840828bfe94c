"""System checks for traces: the variables of OpenTelemetry that its SDK reads by itself."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning

SAMPLERS = tuple(
    parent + name for parent in ("", "parentbased_") for name in ("always_on", "always_off", "traceidratio")
)
"""Of the specification of OpenTelemetry (`OTEL_TRACES_SAMPLER`)."""

QUEUE = {
    "OTEL_BSP_MAX_QUEUE_SIZE": 2048,
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": 512,
    "OTEL_BSP_SCHEDULE_DELAY": 5000,
}
"""Variables of OpenTelemetry for the queue in which traces wait for their export, with their defaults."""

OTEL_VARIABLES = (
    *QUEUE,
    *(
        f"OTEL_EXPORTER_OTLP_{signal}{name}"
        for signal in ("", "TRACES_")
        for name in ("ENDPOINT", "PROTOCOL", "HEADERS", "TIMEOUT", "COMPRESSION", "CERTIFICATE", "CLIENT_KEY")
    ),
)
"""Variables of OpenTelemetry that are nearly alike."""


@register()
def check_tracing(**_: Any) -> list[CheckMessage]:
    """Variables of OpenTelemetry that would only be noticed by the traces that do not come."""
    if not settings.TRACING:
        return []
    problems: list[CheckMessage] = []
    wrong = [
        name
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        if (url := os.environ.get(name)) and not _is_address(url)
    ]
    if wrong:
        hint = "Set it to the address of a collector that takes OTLP over HTTP, such as http://collector:4318."
        problems.append(Error(f"{', '.join(wrong)}: not an http address.", hint=hint, id="nebengjek.E026"))
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        if os.environ.get(name, "http/protobuf") != "http/protobuf":
            hint = "Leave it out; collectors take http/protobuf on port 4318."
            text = f"{name}={os.environ[name]!r}: traces are exported by http/protobuf only."
            problems.append(Error(text, hint=hint, id="nebengjek.E027"))
    problems += _sampler_problems(settings.OTEL_TRACES_SAMPLER, settings.OTEL_TRACES_SAMPLER_ARG)
    problems += _queue_problems()
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        hint = "Leave one of the two out."
        text = "TRACING is on, but OTEL_SDK_DISABLED turns traces off."
        problems.append(CheckWarning(text, hint=hint, id="nebengjek.W012"))
    return problems


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:  # brackets or a port that are none
        return False


def _sampler_problems(name: str, argument: str) -> list[CheckMessage]:
    """Return what is wrong with the sampler; the SDK would only log it, and record everything."""
    if name.lower() not in SAMPLERS:
        hint = f"The samplers are {', '.join(SAMPLERS)}."
        return [Error(f"OTEL_TRACES_SAMPLER={name!r} is unknown.", hint=hint, id="nebengjek.E028")]
    try:
        is_share = 0 <= float(argument) <= 1
    except ValueError:
        is_share = False
    if name.lower().endswith("ratio") and not is_share:
        hint = "Give the share of traces to record, from 0 to 1, such as 0.01."
        return [Error(f"OTEL_TRACES_SAMPLER_ARG={argument!r} is no share.", hint=hint, id="nebengjek.E028")]
    return []


def _queue_problems() -> list[CheckMessage]:
    """Return what is wrong with the sizes of the queue, for which the SDK would not start."""
    sizes: dict[str, int] = {}
    for name, default in QUEUE.items():
        text = os.environ.get(name, "").strip() or str(default)
        sizes[name] = int(text) if text.isascii() and text.isdecimal() else 0
    hint = "Give whole numbers above 0; a batch is not larger than the queue."
    if all(sizes.values()) and sizes["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] <= sizes["OTEL_BSP_MAX_QUEUE_SIZE"]:
        return []
    return [Error("OTEL_BSP_* name sizes that cannot be.", hint=hint, id="nebengjek.E029")]
