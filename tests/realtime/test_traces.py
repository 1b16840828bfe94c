"""One trace for one command: from the frame that came in to the frames that went out, in one process."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from nats.aio.client import Client

from common.threads import in_write_thread
from common.tracing import TRACE_HEADER, tracing
from devservers.process import free_port
from events.models import OutboxEvent
from realtime.bridge.bridge import Bridge
from realtime.server.background import Background
from tests.cast import propose
from tests.collector import Collector, Span, path_to
from tests.patience import until
from tests.realtime.bridge.conftest import bridge
from tests.realtime.phone import Phone
from users.models import User

__all__ = ["bridge"]

pytestmark = pytest.mark.django_db(transaction=True)
ACCEPTED = ("frame match_confirm", "event match.accepted", "event ride.pickup")


async def accept(dewi: User, putri: User) -> OutboxEvent:
    """Let both accept an offer over their sockets; return the event that says so."""
    match = await in_write_thread(propose, dewi, putri)
    driver, passenger = await Phone.of(dewi), await Phone.of(putri)
    for phone in (driver, passenger):
        assert (await phone.do("match_confirm", match_id=str(match.pk), accepted=True))["type"] == "ack"
    for phone in (driver, passenger):
        await phone.next("ride_pickup")
        await phone.hang_up()
    return await in_write_thread(OutboxEvent.objects.get, subject="match.accepted")


async def spans_of_accepting(collector: Collector, sockets: int) -> list[Span]:
    """Return the spans of the second confirmation, once so many writes to sockets are among them."""

    def written() -> bool:
        spans = collector.trace_with(*ACCEPTED)
        paths = [path_to(spans, span) for span in spans if span.name.startswith("socket ")]
        return len(paths) == sockets and all(path[0] == ACCEPTED[0] for path in paths)

    await until(written)
    return collector.trace_with(*ACCEPTED)


async def test_a_confirmation_is_one_trace(traces: Collector, background: Background, dewi: User, putri: User) -> None:
    """Each of the two events goes from the frame to both sockets, step by step, under one trace id."""
    row = await accept(dewi, putri)
    spans = await spans_of_accepting(traces, 4)
    begun = ["frame match_confirm", "command match_confirm"]
    assert Counter(tuple(path_to(spans, span)) for span in spans if span.name.startswith("socket ")) == {
        (*begun, "event match.accepted", "relay match.accepted", "layer match_confirm", "socket match_confirm"): 2,
        (*begun, "event ride.pickup", "relay ride.pickup", "layer ride_pickup", "socket ride_pickup"): 2,
    }
    assert {span.service for span in spans} == {"nebengjek-web"}
    [event] = [span for span in spans if span.name == "event match.accepted"]
    assert row.traceparent.startswith(f"00-{event.trace}-{event.id}-")
    assert event.attributes["nebengjek.event_id"] == str(row.event_id)
    [frame] = [span for span in spans if span.name == "frame match_confirm"]
    assert frame.attributes["nebengjek.answer"] == "ack"


async def test_a_confirmation_is_one_trace_over_nats(
    traces: Collector, bridge: Bridge, nats_client: Client, dewi: User, putri: User
) -> None:
    """The same over the stream, where the message has a header for it."""
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    await nats_client.subscribe("match.accepted", cb=hear)
    await accept(dewi, putri)
    spans = await spans_of_accepting(traces, 4)
    [path] = {tuple(path_to(spans, span)) for span in spans if span.name == "socket match_confirm"}
    assert path == (
        "frame match_confirm", "command match_confirm", "event match.accepted", "relay match.accepted",
        "bridge match_confirm", "layer match_confirm", "socket match_confirm",
    )  # fmt: skip
    [message] = heard
    [relay] = [span for span in spans if span.name == "relay match.accepted"]
    assert message.headers[TRACE_HEADER].startswith(f"00-{relay.trace}-{relay.id}-")


async def test_a_trace_of_another_service_goes_on(
    traces: Collector, bridge: Bridge, nats_client: Client, dewi: User, putri: User
) -> None:
    """A bare message with a `traceparent` is part of that trace; one with nonsense begins a trace of its own."""
    passenger = await Phone.of(putri)
    theirs = f"00-{'ab' * 16}-{'cd' * 8}-01"
    body = f'{{"match_id":"m-1","passenger_id":"{putri.pk}"}}'.encode()
    for header in (theirs, "00-" + "0" * 5000, ""):
        await nats_client.publish("match.rejected", body, headers={TRACE_HEADER: header})
        assert (await passenger.next("match_rejected"))["data"]["match_id"] == "m-1"
    await passenger.hang_up()
    await until(lambda: sum(span.name == "socket match_rejected" for span in traces.spans) == 3)
    bridged = [span for span in traces.spans if span.name == "bridge match_rejected"]
    assert [span.parent for span in bridged] == ["cd" * 8, "", ""]
    assert len({span.trace for span in bridged}) == 3
    assert bridged[0].trace == "ab" * 16


async def test_a_sampled_share_is_whole_traces(
    traces_never: Collector, background: Background, dewi: User, putri: User
) -> None:
    """Where the sampler leaves a trace out, no step of it is recorded anywhere, and the row says so."""
    row = await accept(dewi, putri)
    tracing.stop()
    assert row.traceparent
    assert not int(row.traceparent[-2:], 16) & 1
    assert traces_never.spans == []


async def test_without_tracing_nothing_is_kept(background: Background, dewi: User, putri: User) -> None:
    """Rows have no trace, and no part of OpenTelemetry is used."""
    row = await accept(dewi, putri)
    assert row.traceparent == ""
    assert not tracing.is_on


@pytest.mark.parametrize("fault", ["refuses", "is_slow", "is_away"])
async def test_a_broken_collector_delays_nobody(
    fault: str, traces: Collector, background: Background, dewi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers come at once whatever it does; steps for which the queue has no room are dropped; the end is quick."""
    tracing.stop()
    traces.status, traces.delay = (503, 0.0) if fault == "refuses" else (200, 30.0)
    if fault == "is_away":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    tracing.start("web")
    phone = await Phone.of(dewi)
    loop = asyncio.get_running_loop()
    for _ in range(100):
        begun = loop.time()
        assert (await phone.do("sync"))["type"] == "ack"
        assert loop.time() - begun < 5
    await phone.hang_up()
    begun = loop.time()
    await asyncio.to_thread(tracing.stop, 0.5)
    assert loop.time() - begun < 5
