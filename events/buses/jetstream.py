"""The bus between processes and services: NATS JetStream, and core NATS for what is in no stream.

Streamed events come back to the bridge, which delivers them in the order of the stream. The others (`user.*`) are
delivered by this bus itself, after it has waited for the stream to be delivered up to the last message for the same
user: so each user is notified in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec
from nats.aio.client import Client
from nats.errors import MaxPayloadError
from nats.js.api import DiscardPolicy, Header, PubAck, StreamInfo
from nats.js.errors import APIError

from common.errors import brief
from common.nats import AWAY
from common.shards import shard_count, shard_of
from common.tracing import TRACE_HEADER
from events.buses.base import BusUnavailable, Handler, Refused, Skipper
from events.models import OutboxEvent
from events.signature import SIGNATURE_HEADER, signature_of
from events.stream import (
    ID_HEADER,
    STREAM,
    TYPE_HEADER,
    VALID_UNTIL_HEADER,
    VIEWS_HEADER,
    is_streamed,
    sharded_subject,
    stream_of,
)

INTERNAL = ("user.revoked",)
"""Subjects that are not published to other services."""

PUBLISH_TIMEOUT = 3.0
"""Seconds for the stream to take a message: health must name one that takes nothing within five."""

REFUSALS = (10054, 10097)
"""Error codes of JetStream for a message, or its headers, that are larger than the stream allows."""

FULL = (10002, 10028, 10047, 10109)
"""Error codes of JetStream for a lack of room that is no 503: of the account, of memory or storage, a sealed stream."""

NOT_OUR_STREAM = 10060
"""Error code of JetStream for a message that went to another stream than the expected one, and was not stored."""

WRONG_LAST_SEQUENCE = 10071
"""Error code of JetStream for a message that expects another last sequence than the stream has, and was not stored."""

PROBE_SUBJECT = "match.probe"
"""Carries `{}`, which no stream stores, while there is nothing else to publish."""

NEVER = str(2**62)
"""A last sequence that no stream will have."""

ROOM = 1024
"""Bytes that a stream must have left to count as not full."""

KEPT = 10_000
"""Users whose last message in the stream is remembered; for others the newest message is waited for."""

encode = msgspec.json.encode


class Delivered(Protocol):
    """Waits for the stream to be delivered up to a sequence."""

    async def __call__(self, sequence: int) -> None:
        """Return when everything in the stream up to `sequence` has been delivered."""


class JetStreamBus:
    """Publishes to the stream, pipelined; `deliver` gets the events that are in no stream.

    `newest` is the last sequence of the stream when the bus begins: up to there messages may be undelivered yet.
    """

    def __init__(self, client: Client, deliver: Handler, skip: Skipper, delivered: Delivered, *, newest: int) -> None:
        self._client = client
        self._context = client.jetstream(timeout=PUBLISH_TIMEOUT)
        self._deliver, self._skip, self._delivered = deliver, skip, delivered
        self._newest = newest
        self._last: dict[str, int] = {}

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        """Return when all of `events` are in the stream or delivered.

        Two events with a recipient in common are never under way at the same time: were the first one lost and
        published again, it would come after the second.
        """
        try:
            for batch in rounds(events):
                await self._deliver_unstreamed([event for event in batch if not is_streamed(event.subject)])
                await self._publish_streamed([event for event in batch if is_streamed(event.subject)])
        except AWAY as exc:
            raise BusUnavailable(f"NATS: {brief(exc)}") from exc

    async def probe(self) -> None:
        """Return when each stream has answered a message that it refuses by its own condition, and has room.

        A permission that is missing, or a stream that does not answer, shows there; nothing is stored.
        """
        try:
            await asyncio.gather(*(self._probe(stream, subject) for stream, subject in self._probes()))
        except AWAY as exc:
            raise BusUnavailable(f"NATS: {brief(exc)}") from exc

    def _probes(self) -> Sequence[tuple[str, str]]:
        """Return the streams that are published to, and a subject of each."""
        return [(STREAM, PROBE_SUBJECT)]

    async def _probe(self, stream: str, subject: str) -> None:
        if not self._client.is_connected:
            raise BusUnavailable("NATS: not connected")
        headers = {str(Header.EXPECTED_LAST_SEQUENCE.value): NEVER}
        try:
            await self._context.publish(subject, b"{}", stream=stream, headers=headers)
        except APIError as exc:
            if exc.err_code != WRONG_LAST_SEQUENCE:
                raise BusUnavailable(f"NATS: {exc.description}") from exc
        if lack := lack_of_room(await self._context.stream_info(stream)):
            raise BusUnavailable(f"NATS: the stream {stream} has {lack}")

    async def skip(self, event: OutboxEvent) -> None:
        """Let clients get the state where the event was for people; what is in the stream still comes in its turn."""
        if event.audience:
            await self._skip()

    async def _publish_streamed(self, events: Sequence[OutboxEvent]) -> None:
        """Publish events at once; which of them fails does not matter to the others."""
        if not self._client.is_connected:  # the client would buffer them, and then publish them twice
            raise BusUnavailable("NATS: not connected")
        # `publish_async` would do the same in one task, but it swallows refusals, and each error costs it a place.
        answers = await asyncio.gather(*map(self._publish, events), return_exceptions=True)
        for event, answer in zip(events, answers, strict=True):
            if isinstance(answer, PubAck):
                self._note(event, answer.seq)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def _publish(self, event: OutboxEvent) -> PubAck:
        payload, headers = message_of(event)
        return await self._store(event, event.subject, STREAM, payload, headers)

    async def _store(
        self, event: OutboxEvent, subject: str, stream: str, payload: bytes, headers: dict[str, str]
    ) -> PubAck:
        """Sign a message of an event, and return the answer of the stream."""
        headers[SIGNATURE_HEADER] = signature_of(subject, payload, headers)
        headers.update(trace_header_of(event))
        try:
            return await self._context.publish(subject, payload, stream=stream, headers=headers)
        except MaxPayloadError as exc:
            raise Refused(f"the event is larger than NATS allows: {len(payload)} bytes") from exc
        except APIError as exc:
            if exc.err_code in REFUSALS:
                raise Refused(f"the stream refuses the event of {len(payload)} bytes: {exc.description}") from exc
            if exc.err_code in FULL:
                raise BusUnavailable(f"NATS: {exc.description}") from exc
            if exc.err_code == NOT_OUR_STREAM:
                raise BusUnavailable(f"NATS: another stream has the subject {subject}") from exc
            raise

    async def _deliver_unstreamed(self, events: Sequence[OutboxEvent]) -> None:
        if not events:
            return
        await self._delivered(
            max(self._last.get(user, self._newest) for event in events for user in _recipients(event))
        )
        await self._deliver(events)
        await self._announce(events)

    async def _announce(self, events: Sequence[OutboxEvent]) -> None:
        """Publish what is in no stream for other services."""
        for event in events:
            if event.subject not in INTERNAL:
                headers = {ID_HEADER: str(event.event_id), **trace_header_of(event)}
                await self._client.publish(event.subject, encode(event.data), headers=headers)

    def _note(self, event: OutboxEvent, sequence: int) -> None:
        if len(self._last) >= KEPT:
            self._newest = max(self._last.values())
            self._last.clear()
        for user in _recipients(event):
            self._last[user] = sequence


class ShardedBus(JetStreamBus):
    """Publishes to the streams of several shards: an event once for each in which it has recipients.

    So the bridge of a shard reads nothing that is for others. What is in no stream otherwise (`user.*`) goes the same
    way, in its turn; `deliver` gets what is no notification.
    """

    def __init__(self, client: Client, deliver: Handler, skip: Skipper) -> None:
        super().__init__(client, deliver, skip, _is_delivered, newest=0)

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        """Return when all of `events` are in the streams or delivered, in rounds as for one stream."""
        try:
            for batch in rounds(events):
                await self._publish_streamed([event for event in batch if event.type])
                await self._deliver([event for event in batch if not event.type])
                await self._announce([event for event in batch if not is_streamed(event.subject)])
        except AWAY as exc:
            raise BusUnavailable(f"NATS: {brief(exc)}") from exc

    async def _publish(self, event: OutboxEvent) -> PubAck:
        shards = sorted({shard_of(user) for user in _recipients(event)})
        answers = await asyncio.gather(*(self._publish_in(event, shard) for shard in shards), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers[0]  # type: ignore[return-value]  # none of them is an exception

    def _probes(self) -> Sequence[tuple[str, str]]:
        return [(stream_of(shard), sharded_subject(PROBE_SUBJECT, shard)) for shard in range(shard_count())]

    async def _publish_in(self, event: OutboxEvent, shard: int) -> PubAck:
        subject, payload, headers = message_in(event, shard)
        return await self._store(event, subject, stream_of(shard), payload, headers)

    def _note(self, event: OutboxEvent, sequence: int) -> None:
        """Nothing waits for a position: all that is for a user goes through one stream."""


async def _is_delivered(sequence: int) -> None:
    """Never waited for."""


def lack_of_room(info: StreamInfo) -> str:
    """Return which limit of a stream that refuses new messages is reached; empty where none is."""
    config, state = info.config, info.state
    if config.discard != DiscardPolicy.NEW:
        return ""
    if config.max_msgs is not None and 0 < config.max_msgs <= state.messages:
        return f"all of its {config.max_msgs} messages"
    if config.max_bytes is not None and 0 < config.max_bytes < state.bytes + ROOM:
        return f"{state.bytes} of its {config.max_bytes} bytes"
    return ""


def id_in_shard(event_id: str, shard: int) -> str:
    """Return the id under which an event is in the stream of a shard; `event_id_of` returns the event's own."""
    return f"{event_id}/{shard}"


def event_id_of(message_id: str) -> str:
    """Return the id of the event that a message is of."""
    return message_id.partition("/")[0]


def rounds(events: Sequence[OutboxEvent]) -> list[list[OutboxEvent]]:
    """Group events into rounds, so that within a round no two have a key or a recipient in common.

    Of two that have, the earlier event is in the earlier round.
    """
    result: list[list[OutboxEvent]] = []
    last: dict[str, int] = {}
    for event in events:
        concerned = (event.key, *_recipients(event))
        number = max(last.get(name, -1) for name in concerned) + 1
        last.update(dict.fromkeys(concerned, number))
        if number == len(result):
            result.append([])
        result[number].append(event)
    return result


def message_of(event: OutboxEvent) -> tuple[bytes, dict[str, str]]:
    """Return the payload and the headers of an event's message, without the signature."""
    return encode(event.data), headers_of(event)


def message_in(event: OutboxEvent, shard: int) -> tuple[str, bytes, dict[str, str]]:
    """Return the subject, the payload and the headers of an event's message to a shard, for its recipients there."""
    payload, headers = message_of(event)
    headers[ID_HEADER] = id_in_shard(headers[ID_HEADER], shard)
    views = {user: view for user, view in event.audience.items() if shard_of(user) == shard}
    headers[VIEWS_HEADER] = encode(views).decode()
    return sharded_subject(event.subject, shard), payload, headers


def published_events(event_ids: Collection[str]) -> dict[str, tuple[str, bytes, dict[str, str]]]:
    """Return subject, payload and headers of the messages of events that the outbox still has, by event id."""
    found = OutboxEvent.objects.filter(event_id__in=event_ids)
    return {str(event.event_id): (event.subject, *message_of(event)) for event in found}


def headers_of(event: OutboxEvent) -> dict[str, str]:
    """Return the headers of an event's message: id, frame type, expiry, and what single recipients see instead."""
    headers = {ID_HEADER: str(event.event_id), TYPE_HEADER: event.type}
    if event.valid_until is not None:
        headers[VALID_UNTIL_HEADER] = event.valid_until.isoformat()
    if any(view is not None for view in event.audience.values()):
        headers[VIEWS_HEADER] = encode(event.audience).decode()
    return headers


def trace_header_of(event: OutboxEvent) -> dict[str, str]:
    """Return the header that lets the trace of an event go on; it is not signed, since it says nothing to people."""
    return {TRACE_HEADER: event.traceparent} if event.traceparent else {}


def _recipients(event: OutboxEvent) -> Sequence[str]:
    return tuple(event.audience)
