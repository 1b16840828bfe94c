"""The switch, steps and what begins a trace."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client

from common.logs import ContextFilter, JSONFormatter, Rarely
from common.threads import in_write_thread
from common.tracing import TracingMiddleware, traceparent_of, tracing
from events.models import OutboxEvent
from tests.collector import Collector, path_to
from users.models import User
from users.tokens import tokens_issue

GOOD = f"00-{'ab' * 16}-{'cd' * 8}-01"


@pytest.mark.parametrize(
    "text",
    [
        None, "", "00", GOOD[:-1], GOOD + "0", GOOD + "\n", GOOD.upper(), GOOD.replace("a", "g"), "ff" + GOOD[2:],
        GOOD.replace("ab", "٣٣"), "x" * 100_000, "\0", "00-\ud800",
    ],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_traceparent_is_nothing(text: str | None) -> None:
    """Whatever another service writes there."""
    assert traceparent_of(text) == ""


def test_a_traceparent_is_kept_as_it_is() -> None:
    """Also of a version of the specification that is yet to come, with the same fields."""
    assert traceparent_of(GOOD) == GOOD
    assert traceparent_of("01" + GOOD[2:]) == "01" + GOOD[2:]


def test_off_nothing_is_made() -> None:
    """Without traces a step is always the same object, and what comes in goes on."""
    assert not tracing.is_on
    assert tracing.step("frame", "sync", seq=1) is tracing.follow(GOOD, "socket")
    with tracing.step("frame") as traceparent, tracing.steps("relay", [(GOOD, "x"), ("", "y")]) as traceparents:
        assert traceparent == ""
        assert traceparents == [GOOD, ""]
    tracing.note(answer="ack")
    assert tracing.trace_id() == ""
    tracing.stop()


def test_the_switch_is_a_setting(settings: Any) -> None:
    """Without it `start` starts nothing."""
    assert settings.TRACING is False
    tracing.start("web")
    assert not tracing.is_on


async def test_a_step_goes_on_in_a_thread(traces: Collector) -> None:
    """What services do is part of the command that they are called for."""
    with tracing.step("frame"):
        await in_write_thread(lambda: tracing.step("command").__enter__())
        here = tracing.trace_id()
    with tracing.step("frame"):
        assert tracing.trace_id() != here


@pytest.mark.django_db
def test_a_request_begins_a_trace(traces: Collector, settings: Any, dewi: User) -> None:
    """Its route is its name; the events that it causes belong to it; nobody outside decides about traces."""
    settings.MIDDLEWARE = ["common.tracing.TracingMiddleware", *settings.MIDDLEWARE]
    client = Client(headers={"Authorization": f"Bearer {tokens_issue(dewi)['access']}", "traceparent": GOOD})
    assert client.delete("/api/me/").status_code == 204
    assert client.get("/nothing/here/").status_code == 404
    tracing.stop()
    row = OutboxEvent.objects.get(subject="user.revoked")
    [deleted, missing] = [span for span in traces.spans if span.name.startswith("request ")]
    assert deleted.attributes == {"nebengjek.route": "api/me/", "nebengjek.status": 204}
    assert missing.attributes["nebengjek.status"] == 404
    assert not deleted.parent
    assert deleted.trace != "ab" * 16
    [event] = [span for span in traces.spans if span.name == "event user.revoked"]
    assert path_to(traces.spans, event) == ["request DELETE", "event user.revoked"]
    assert row.traceparent.startswith(f"00-{event.trace}-{event.id}-")


def test_probes_are_not_traced(traces: Collector, rf: Any) -> None:
    """They come every few seconds for ever."""
    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(tracing.trace_id())
        return HttpResponse()

    for path in ("/health/live", "/metrics", "/api/rides/"):
        TracingMiddleware(view)(rf.get(path))
    assert seen[:2] == ["", ""]
    assert len(seen[2]) == 32


def test_log_lines_name_the_trace(traces: Collector) -> None:
    """So that one leads to the other."""
    record = logging.LogRecord("x", logging.INFO, "", 0, "Done.", None, None)
    with tracing.step("frame"):
        ContextFilter().filter(record)
        trace_id = tracing.trace_id()
    assert json.loads(JSONFormatter().format(record))["trace"] == trace_id


def test_a_collector_that_is_away_is_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the arguments are, which have another time in them each time."""
    rarely, now = Rarely(), [0.0]
    monkeypatch.setattr("common.logs.time.monotonic", lambda: now[0])

    def say(text: str, argument: object) -> bool:
        return rarely.filter(logging.LogRecord("x", logging.WARNING, "", 0, text, (argument,), None))

    assert [say("retrying in %s", 1), say("retrying in %s", 2), say("failed: %s", 3)] == [True, False, True]
    now[0] = 61.0
    assert say("retrying in %s", 4)
