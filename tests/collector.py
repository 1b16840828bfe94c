"""A collector of traces: a little OTLP receiver over HTTP on 127.0.0.1, in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(NamedTuple):
    """One step of a trace, as it was exported."""

    name: str
    trace: str
    id: str
    parent: str
    service: str
    attributes: dict[str, Any]
    failed: str


class Collector:
    """Keeps the spans that it is sent; it answers with `status` after `delay` seconds."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.requests = 0
        self.status, self.delay = 200, 0.0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests += 1
                time.sleep(collector.delay)
                if collector.status == 200:
                    assert self.path == "/v1/traces", self.path
                    collector.spans += spans_of(body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.env: dict[str, Any] = {
            "TRACING": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def traces(self) -> dict[str, list[Span]]:
        """Return the spans by the id of their trace."""
        found: defaultdict[str, list[Span]] = defaultdict(list)
        for span in tuple(self.spans):
            found[span.trace].append(span)
        return dict(found)

    def trace_with(self, *names: str) -> list[Span]:
        """Return the spans of the one trace that has all of these; an empty list when there is none yet."""
        found = [spans for spans in self.traces().values() if {*names} <= {span.name for span in spans}]
        assert len(found) < 2, found
        return found[0] if found else []

    @contextmanager
    def running(self) -> Iterator[Collector]:
        """Receive until the end of the `with`."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def spans_of(body: bytes) -> Iterator[Span]:
    """Yield the spans of a request."""
    request = ExportTraceServiceRequest.FromString(body)
    for of_resource in request.resource_spans:
        resource = {item.key: item.value.string_value for item in of_resource.resource.attributes}
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                values = {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}
                yield Span(
                    span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(),
                    resource["service.name"], values, span.status.message if span.status.code == 2 else "",
                )  # fmt: skip


def path_to(spans: list[Span], last: Span) -> list[str]:
    """Return the names of a span and of all before it, as far as they have come: those of a process come together."""
    by_id = {span.id: span for span in spans}
    path = [last.name]
    while last.parent in by_id:
        last = by_id[last.parent]
        path.insert(0, last.name)
    return path
