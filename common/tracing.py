"""Traces: what a frame or a request causes, step by step, to be seen in a tool that speaks OpenTelemetry.

A trace begins with a frame, a request, or with what a timer does. It is carried on as a `traceparent` (W3C Trace
Context): in the outbox, in a header of NATS and on the channel layer; so its steps may be in several processes. With
`TRACING` off nothing of OpenTelemetry is imported, and a step is a context manager that does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from common.probes import PATHS as PROBES

TRACE_HEADER = "traceparent"
"""The header of a message in NATS, by the W3C."""

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_NOTHING = nullcontext("")


class Records(Protocol):
    """What records steps: `common.spans.Recorder`."""

    def step(self, work: str, about: str, parent: str | None, attributes: dict[str, object]) -> Step:
        """Return a step, which begins now and becomes the current one; `parent` is the present one by default."""

    def steps(self, work: str, items: Sequence[tuple[str, str]]) -> AbstractContextManager[list[str]]:
        """Return steps that are taken together; each is given by the one before it, and what it is about."""

    def note(self, attributes: dict[str, object]) -> None:
        """Add to the present step."""

    def trace_id(self) -> str:
        """Return the id of the present trace, or nothing."""

    def close(self, seconds: float) -> None:
        """Export what is left, for at most so long."""


Step = AbstractContextManager[str]
"""The part of a trace within a `with`; its value is the `traceparent` for what comes after it, empty without traces."""


class Tracing:
    """The traces of this process; any thread may call this."""

    def __init__(self) -> None:
        self._records: Records | None = None
        self.is_on = False
        """Whether steps are recorded; what happens for every frame looks here first."""

    def start(self, process: str) -> None:
        """Record from now on, where `TRACING` says so, as the service `nebengjek-<process>`."""
        if settings.TRACING and self._records is None:
            from common.spans import Recorder  # 0.14 s of processor and some MB, for those who want it

            self._records = Recorder(process)
            self.is_on = True

    def stop(self, seconds: float = 2.0) -> None:
        """Export what is left, for at most so many seconds, and record no more."""
        records, self._records = self._records, None
        self.is_on = False
        if records is not None:
            records.close(seconds)

    def step(self, work: str, about: str = "", **attributes: object) -> Step:
        """Return a step of the present trace; without one it begins a trace. `work` and `about` are its name."""
        return _NOTHING if self._records is None else self._records.step(work, about, None, attributes)

    def follow(self, traceparent: str, work: str, about: str = "", **attributes: object) -> Step:
        """Return a step after the one of `traceparent`, in whichever process that was; none where it is empty."""
        if self._records is None or not traceparent:
            return _NOTHING
        return self._records.step(work, about, traceparent, attributes)

    def steps(self, work: str, items: Sequence[tuple[str, str]]) -> AbstractContextManager[list[str]]:
        """Return steps that are taken together, one for each `traceparent` and what it is about.

        The value is what comes after each; an empty `traceparent` begins a trace.
        """
        if self._records is None:
            return nullcontext([traceparent for traceparent, _ in items])
        return self._records.steps(work, items)

    def note(self, **attributes: object) -> None:
        """Add to the present step."""
        if self._records is not None:
            self._records.note(attributes)

    def trace_id(self) -> str:
        """Return the id of the present trace, or nothing."""
        return "" if self._records is None else self._records.trace_id()


tracing = Tracing()


def traceparent_of(text: str | None) -> str:
    """Return what somebody else gives as a `traceparent`, or nothing where it is none."""
    return text if text and _TRACEPARENT.fullmatch(text) else ""


class TracingMiddleware:
    """Begins a trace with each request, but for probes. What the client says of traces is not believed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer within a step that is named by the route."""
        if request.path.startswith(PROBES):
            return self.get_response(request)
        with tracing.step("request", request.method or ""):
            response = self.get_response(request)
            match = request.resolver_match
            tracing.note(route=match.route if match else "", status=response.status_code)
            return response
