"""The bus on a real NATS: what is in the stream, what is delivered at once, and in which order."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DiscardPolicy

from common.nats import connect_to_nats
from common.shards import shard_of
from devservers.servers import NatsServer
from events.buses import jetstream as module
from events.buses.base import BusUnavailable, Refused
from events.buses.jetstream import JetStreamBus, ShardedBus, headers_of, rounds
from events.models import OutboxEvent
from events.signature import is_signed
from events.stream import (
    ID_HEADER,
    STREAM,
    SUBJECTS,
    TYPE_HEADER,
    VALID_UNTIL_HEADER,
    VIEWS_HEADER,
    ensure_stream,
    ensure_streams,
)
from events.stream import stream_of as stream_name
from tests.nats_faults import write_nats_config
from tests.patience import until, within


def event(subject: str = "match.found", *hearers: str, key: str = "k", **data: Any) -> OutboxEvent:
    audience = dict.fromkeys(hearers or ("dewi", "putri"))
    return OutboxEvent(event_id=uuid4(), key=key, type="t", subject=subject, data=data, audience=audience)


class Desk:
    """A bus, and what it asks for: how far the stream has to be delivered, and what to deliver then."""

    def __init__(self, client: Client, newest: int = 0) -> None:
        self.done: list[Any] = []
        self.bus = JetStreamBus(client, self.deliver, self.skip, self.delivered, newest=newest)

    async def deliver(self, events: Sequence[OutboxEvent]) -> None:
        self.done += [item.subject for item in events]

    async def skip(self) -> None:
        self.done.append("skipped")

    async def delivered(self, sequence: int) -> None:
        self.done.append(sequence)


async def stream_of(client: Client) -> list[Any]:
    """Return what is in the stream."""
    context = client.jetstream()
    newest = (await context.stream_info(STREAM)).state.last_seq
    return [await context.get_msg(STREAM, number) for number in range(1, newest + 1)]


def names(item: OutboxEvent) -> set[str]:
    return {item.key, *item.audience}


events_of_a_town = st.lists(
    st.builds(
        lambda key, hearers: event("match.found", *hearers, key=key),
        st.sampled_from([f"ride {number}" for number in range(5)]),
        st.lists(st.sampled_from([f"user {number}" for number in range(6)]), min_size=1, max_size=3, unique=True),
    ),
    max_size=30,
)


@given(events_of_a_town)
def test_in_rounds_nobody_and_nothing_is_concerned_twice_and_the_order_holds(events: list[OutboxEvent]) -> None:
    place = {id(item): number for number, batch in enumerate(rounds(events)) for item in batch}
    assert len(place) == len(events) == sum(map(len, rounds(events)))
    for position, later in enumerate(events):
        before = [place[id(earlier)] for earlier in events[:position] if names(earlier) & names(later)]
        assert place[id(later)] == max(before, default=-1) + 1  # after all of them, and no later than that


@given(events_of_a_town)
def test_within_a_round_events_stay_in_the_order_of_their_numbers(events: list[OutboxEvent]) -> None:
    number = {id(item): position for position, item in enumerate(events)}
    for batch in rounds(events):
        assert batch
        positions = [number[id(item)] for item in batch]
        assert positions == sorted(positions)


def test_an_event_that_nobody_hears_of_still_keeps_to_its_key() -> None:
    first, second, other = (event(key=key) for key in ("a", "a", "b"))
    for item in (first, second, other):
        item.audience = {}
    assert rounds([first, second, other]) == [[first, other], [second]]


def test_headers_say_what_the_payload_does_not() -> None:
    item = event("match.found", "dewi", "putri")
    assert headers_of(item) == {ID_HEADER: str(item.event_id), TYPE_HEADER: "t"}
    item.valid_until = datetime(2026, 1, 31, 12, tzinfo=UTC)
    item.audience = {"dewi": None, "putri": {"n": 1}}
    headers = headers_of(item)
    assert headers[VALID_UNTIL_HEADER] == "2026-01-31T12:00:00+00:00"
    assert json.loads(headers[VIEWS_HEADER]) == item.audience


async def test_what_is_published_is_in_the_stream_in_order_and_once(nats_client: Client) -> None:
    await ensure_stream(nats_client.jetstream())
    events = [event("match.found", f"user {n % 7}", key=f"key {n % 5}", n=n) for n in range(100)]
    await Desk(nats_client).bus.publish(events)
    await Desk(nats_client).bus.publish(events)  # as after a crash before they were marked
    messages = await stream_of(nats_client)
    assert sorted(json.loads(message.data)["n"] for message in messages) == list(range(100))
    for name in {name for item in events for name in names(item)}:
        about = [item.data["n"] for item in events if name in names(item)]
        found = [json.loads(message.data)["n"] for message in messages]
        assert [n for n in found if n in about] == about


async def test_a_message_is_as_the_contract_says(nats_client: Client) -> None:
    await ensure_stream(nats_client.jetstream())
    item = event("ride.started", "dewi", "putri", street="Jl. Käfer", n=1)
    item.audience["putri"] = {"street": "Jalan „Ü“\n"}
    heard: asyncio.Queue[Msg] = asyncio.Queue()
    await nats_client.subscribe("ride.*", cb=heard.put)
    await Desk(nats_client).bus.publish([item])
    message = await heard.get()
    assert message.headers is not None
    assert (message.subject, json.loads(message.data)) == ("ride.started", {"street": "Jl. Käfer", "n": 1})
    assert message.headers[ID_HEADER] == str(item.event_id)
    assert json.loads(message.headers[VIEWS_HEADER]) == item.audience
    assert is_signed(message.subject, message.data, message.headers)


async def test_what_is_in_no_stream_is_delivered_after_what_the_same_user_heard_before(nats_client: Client) -> None:
    await ensure_stream(nats_client.jetstream())
    desk = Desk(nats_client, newest=7)
    await desk.bus.publish([event("user.beacon", "dewi")])
    assert desk.done == [7, "user.beacon"]  # whatever was under way when the bus began
    await desk.bus.publish([event("match.found", "dewi", "putri"), event("match.rejected", "putri", key="other")])
    desk.done.clear()
    await desk.bus.publish([event("user.beacon", "dewi")])
    await desk.bus.publish([event("user.finder", "putri")])
    first, beacon, second, finder = desk.done
    assert (beacon, finder) == ("user.beacon", "user.finder")
    assert first < second


async def test_of_many_users_the_last_messages_are_forgotten_and_the_newest_is_waited_for(
    nats_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    await ensure_stream(nats_client.jetstream())
    desk = Desk(nats_client)
    for number, user in enumerate(["dewi", "joko", "putri"]):
        await desk.bus.publish([event("match.found", user, key=f"key {number}")])
    await desk.bus.publish([event("user.beacon", "dewi")])
    assert desk.done == [2, "user.beacon"]  # at least hers, which was the first


async def test_other_services_hear_of_users_but_not_of_what_is_internal(nats_client: Client) -> None:
    heard: asyncio.Queue[Msg] = asyncio.Queue()
    await nats_client.subscribe("user.*", cb=heard.put)
    desk = Desk(nats_client)
    revoked, beacon = event("user.revoked", "dewi", token_version=1), event("user.beacon", "dewi", is_active=True)
    await desk.bus.publish([revoked, beacon])
    message = await heard.get()
    await nats_client.flush()
    assert heard.empty()
    assert (message.subject, json.loads(message.data)) == ("user.beacon", {"is_active": True})
    assert message.headers == {ID_HEADER: str(beacon.event_id)}
    assert desk.done == [0, "user.revoked", 0, "user.beacon"]


async def test_without_a_stream_the_bus_is_not_available(nats_client: Client) -> None:
    with pytest.raises(BusUnavailable, match="NATS: "):
        await Desk(nats_client).bus.publish([event()])


async def test_without_a_connection_the_bus_is_not_available(nats_client: Client) -> None:
    desk = Desk(nats_client)
    await nats_client.close()
    for subject in ("match.found", "user.beacon"):
        with pytest.raises(BusUnavailable, match="NATS: "):
            await desk.bus.publish([event(subject)])


async def with_stream(client: Client, **config: Any) -> None:
    """Let the operator have set limits on our stream."""
    await ensure_stream(client.jetstream())
    info = await client.jetstream().stream_info(STREAM)
    await client.jetstream().update_stream(info.config.evolve(**config))


async def test_an_event_that_the_stream_never_takes_is_refused(nats_client: Client) -> None:
    """The reason is said, and the others of its round are in the stream."""
    await with_stream(nats_client, max_msg_size=1000)
    desk = Desk(nats_client)
    with pytest.raises(Refused, match=r"refuses the event of 2008 bytes: message size exceeds maximum allowed"):
        await desk.bus.publish(
            [event("match.found", "dewi", x="x" * 2000), event("match.found", "putri", key="l", n=1)]
        )
    assert [json.loads(message.data) for message in await stream_of(nats_client)] == [{"n": 1}]


async def test_an_event_that_no_server_takes_is_refused(nats_client: Client) -> None:
    await ensure_stream(nats_client.jetstream())
    with pytest.raises(Refused, match="larger than NATS allows"):
        await Desk(nats_client).bus.publish([event("match.found", x="x" * 2_000_000)])


async def test_a_full_stream_is_waited_for_and_says_so(nats_client: Client) -> None:
    """It is no fault of an event, and no time-out."""
    await with_stream(nats_client, max_msgs=1, discard=DiscardPolicy.NEW)
    desk = Desk(nats_client)
    await desk.bus.publish([event(n=1)])
    with pytest.raises(BusUnavailable, match="maximum messages exceeded"):
        await desk.bus.publish([event(n=2)])


async def test_a_probe_stores_nothing(nats_client: Client) -> None:
    await ensure_stream(nats_client.jetstream())
    await Desk(nats_client).bus.probe()
    assert await stream_of(nats_client) == []


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_msgs": 1}, "has all of its 1 messages"),
        ({"max_bytes": 500}, r"has \d+ of its 500 bytes"),
        ({"sealed": True, "max_age": 0}, "sealed"),
        ({"no_ack": True}, "timeout"),
    ],
)
async def test_a_stream_that_takes_nothing_is_found_without_an_event(
    nats_client: Client, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any], said: str
) -> None:
    """Full, sealed or silent."""
    monkeypatch.setattr(module, "PUBLISH_TIMEOUT", 0.2)
    await ensure_stream(nats_client.jetstream())
    desk = Desk(nats_client)
    await desk.bus.publish([event(n=1)])
    await with_stream(nats_client, discard=DiscardPolicy.NEW, **limits)
    with pytest.raises(BusUnavailable, match=said):
        await desk.bus.probe()


@pytest.mark.parametrize("limits", [{"max_msgs": 1}, {"max_bytes": 500}])
async def test_a_stream_that_drops_its_oldest_is_never_full(nats_client: Client, limits: dict[str, Any]) -> None:
    await with_stream(nats_client, discard=DiscardPolicy.OLD, **limits)
    desk = Desk(nats_client)
    await desk.bus.publish([event(n=1)])
    await desk.bus.probe()


async def test_a_permission_that_is_missing_is_found_without_an_event(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that it is there again."""
    monkeypatch.setattr(module, "PUBLISH_TIMEOUT", 0.2)
    config = tmp_path / "nats.conf"
    write_nats_config(config)
    with NatsServer(tmp_path / "nats", config=config) as server:
        settings.NATS_URL = server.url
        client = await connect_to_nats("relay")
        await ensure_stream(client.jetstream())
        bus = Desk(client).bus
        for denied in ((), SUBJECTS, ()):
            write_nats_config(config, denied=denied)
            server.reload()  # which it does in its time
            async with within():
                while ("timeout" in await trouble_of(bus)) != bool(denied):
                    pass
            assert bool(await trouble_of(bus)) == bool(denied)
        await client.close()


async def trouble_of(bus: JetStreamBus) -> str:
    """Return what a probe finds; empty where all is well."""
    try:
        await bus.probe()
    except BusUnavailable as exc:
        return str(exc)
    return ""


async def test_a_stream_that_is_missing_is_found_without_an_event(nats_client: Client) -> None:
    with pytest.raises(BusUnavailable, match="NATS: "):
        await Desk(nats_client).bus.probe()


async def test_the_streams_of_all_shards_are_probed(two_shards: None, nats_client: Client) -> None:
    desk, context = Desk(nats_client), nats_client.jetstream()
    bus = ShardedBus(nats_client, desk.deliver, desk.skip)
    await ensure_stream(context)
    with pytest.raises(BusUnavailable, match="NATS: "):
        await bus.probe()
    await ensure_streams(context)
    await bus.probe()


async def test_a_subject_of_another_stream_is_waited_for(nats_client: Client) -> None:
    await nats_client.jetstream().add_stream(name="OTHER", subjects=["match.*"])
    try:
        with pytest.raises(BusUnavailable, match=r"another stream has the subject match\.found"):
            await Desk(nats_client).bus.publish([event()])
        with pytest.raises(BusUnavailable, match="NATS: expected stream does not match"):
            await Desk(nats_client).bus.probe()
    finally:
        await nats_client.jetstream().delete_stream("OTHER")


async def test_while_it_is_not_connected_nothing_is_buffered(tmp_path: Path, settings: Any) -> None:
    """However often it is tried, afterwards everything is published once, and there is room for it."""
    with NatsServer(tmp_path) as server:
        settings.NATS_URL = server.url
        client = await connect_to_nats("bridge")
        await ensure_stream(client.jetstream())
        desk = Desk(client)
        server.kill()
        await until(lambda: not client.is_connected)
        for _ in range(5000):  # nats-py gives 4,000 places for answers, and has a buffer of 2 MB
            with pytest.raises(BusUnavailable, match="not connected"):
                await desk.bus.publish([event(x="x" * 1000)])
        server.start()
        await until(lambda: client.is_connected)
        await desk.bus.publish([event(n=1)])
        assert [json.loads(message.data) for message in await stream_of(client)] == [{"n": 1}]
        await client.close()


async def test_each_shard_gets_what_is_for_its_users(two_shards: None, nats_client: Client) -> None:
    """Once, however often it is published, and with the views of no others; what is no notification is in no stream."""
    context, desk = nats_client.jetstream(), Desk(nats_client)
    bus = ShardedBus(nats_client, desk.deliver, desk.skip)
    await ensure_streams(context)
    one, other = (next(str(UUID(int=n)) for n in range(99) if shard_of(UUID(int=n)) == shard) for shard in (0, 1))
    both, alone = event("match.found", one, other, n=1), event("user.finder", other, n=2)
    both.audience[other] = {"n": "own"}
    control = event("user.revoked", one)
    control.type = ""
    for _ in range(2):
        await bus.publish([both, alone, control])
    assert desk.done == ["user.revoked", "user.revoked"]
    found = []
    for shard in (0, 1):
        newest = (await context.stream_info(stream_name(shard))).state.last_seq
        found += [await context.get_msg(stream_name(shard), number) for number in range(1, newest + 1)]
    assert [message.subject for message in found] == [
        "shard.0.match.found",
        "shard.1.match.found",
        "shard.1.user.finder",
    ]
    headers: list[Any] = [message.headers for message in found]
    assert [each[ID_HEADER] for each in headers] == [f"{both.event_id}/0", f"{both.event_id}/1", f"{alone.event_id}/1"]
    assert [json.loads(each[VIEWS_HEADER]) for each in headers] == [{one: None}, {other: {"n": "own"}}, {other: None}]
    assert all(is_signed(message.subject or "", message.data or b"", message.headers or {}) for message in found)


async def test_an_event_that_one_shard_lacks_is_published_again(two_shards: None, nats_client: Client) -> None:
    """The stream that has it takes it for a repetition."""
    context, desk = nats_client.jetstream(), Desk(nats_client)
    bus = ShardedBus(nats_client, desk.deliver, desk.skip)
    await ensure_stream(context)
    people = [str(UUID(int=n)) for n in range(8)]
    with pytest.raises(BusUnavailable):
        await bus.publish([event("match.found", *people)])
    lost = event("match.found", *people)
    with pytest.raises(BusUnavailable):
        await bus.publish([lost])
    await ensure_streams(context)
    await bus.publish([lost])
    assert [(await context.stream_info(stream_name(shard))).state.last_seq for shard in (0, 1)] == [2, 1]
