"""The steps of traces as spans of OpenTelemetry, exported by OTLP over HTTP.

Spans wait in a queue of bounded size for a thread of their own, which sends them: nobody waits for the collector, and
what it does not take is dropped. How many are recorded, and where they go, is in the `OTEL_*` variables of the
specification, which the SDK reads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import Token
from types import TracebackType

from django.conf import settings
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from common.tracing import TRACE_HEADER

KINDS = {
    "frame": SpanKind.SERVER,
    "request": SpanKind.SERVER,
    "relay": SpanKind.PRODUCER,
    "bridge": SpanKind.CONSUMER,
}
PREFIX = "nebengjek."
"""Of the names of attributes."""

_reader = TraceContextTextMapPropagator()


class Recorder:
    """Records steps as spans, for `common.tracing`."""

    def __init__(self, process: str) -> None:
        named = Resource.create({SERVICE_VERSION: settings.VERSION})
        if not settings.OTEL_SERVICE_NAME:
            named = named.merge(Resource({SERVICE_NAME: f"nebengjek-{process}"}))
        # The SDK's own way to end waits up to 30 s for a collector that does not answer.
        self._provider = TracerProvider(resource=named, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("nebengjek", settings.VERSION)

    def step(self, work: str, about: str, parent: str | None, attributes: dict[str, object]) -> Active:
        """Return a step, which begins now and becomes the current one; `parent` is the present one by default."""
        return Active(self._begin(work, about, parent, attributes))

    @contextmanager
    def steps(self, work: str, items: Sequence[tuple[str, str]]) -> Iterator[list[str]]:
        """Take steps together; each is given by the one before it, and what it is about."""
        spans = [self._begin(work, about, parent, {}) for parent, about in items]
        try:
            yield [_text_of(span) for span in spans]
        except BaseException as exc:
            for span in spans:
                _mark(span, exc)
            raise
        finally:
            for span in spans:
                span.end()

    def note(self, attributes: dict[str, object]) -> None:
        """Add to the present step."""
        trace.get_current_span().set_attributes(_attributes(attributes))

    def trace_id(self) -> str:
        """Return the id of the present trace, or nothing."""
        found = trace.get_current_span().get_span_context()
        return trace.format_trace_id(found.trace_id) if found.is_valid else ""

    def close(self, seconds: float) -> None:
        """Export what is left, for at most so long."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(seconds)

    def _begin(self, work: str, about: str, parent: str | None, attributes: dict[str, object]) -> Span:
        # A text that is no `traceparent` leaves the context empty, and so begins a trace.
        before = None if parent is None else _reader.extract({TRACE_HEADER: parent}, context=Context())
        kind = KINDS.get(work, SpanKind.INTERNAL)
        return self._tracer.start_span(f"{work} {about}".rstrip(), before, kind, _attributes(attributes))


class Active:
    """A span that is the current one within a `with`."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._token: Token[Context] | None = None

    def __enter__(self) -> str:
        self._token = context.attach(trace.set_span_in_context(self._span))
        return _text_of(self._span)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._token is not None
        context.detach(self._token)
        if exc is not None:
            _mark(self._span, exc)
        self._span.end()


def _mark(span: Span, exc: BaseException) -> None:
    """Say that a step failed, by the class of the error alone: its text may name people."""
    span.set_status(Status(StatusCode.ERROR, type(exc).__name__))


def _text_of(span: Span) -> str:
    """Return the `traceparent` of a span; nothing where `OTEL_SDK_DISABLED` is set."""
    found = span.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}" if found.is_valid else ""


def _attributes(values: dict[str, object]) -> dict[str, str | int]:
    return {PREFIX + name: _value(value) for name, value in values.items() if value is not None}


def _value(value: object) -> str | int:
    """Return a value as OTLP can carry it: half a surrogate pair it cannot."""
    return value if isinstance(value, int) else str(value).encode(errors="replace").decode()
