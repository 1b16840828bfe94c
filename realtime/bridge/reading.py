"""Reading a message of the stream: it becomes a delivery, or there is a reason why it cannot.

Our own messages have their type and id in headers, and are signed. Those of other services are bare: flat JSON on the
subjects of the contract, whatever their headers say. Their fields go to the clients unchanged, unknown ones included;
known ones are checked by type, texts by length, and addresses by their scheme.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin
from uuid import UUID

import msgspec
from nats.aio.msg import Msg

from common.tracing import TRACE_HEADER, traceparent_of
from events.base import Event, Moment
from events.buses.jetstream import event_id_of
from events.signature import is_signed
from events.stream import (
    ID_HEADER,
    MAX_PAYLOAD,
    SHARD_PREFIX,
    TYPE_HEADER,
    VALID_UNTIL_HEADER,
    VIEWS_HEADER,
    is_streamed,
    plain_subject,
)
from realtime.delivery.deliveries import Delivery
from rides.events import EVENTS
from rides.geo import GeoPoint

MAX_TEXT = 1000
"""Characters of a known text in a message of another service."""


class Unreadable(Exception):
    """A message that can never be delivered; the text says why."""


class Pair(msgspec.Struct, frozen=True):
    """The two people whom another service's message may name; what every such message is read as, at least."""

    driver_id: UUID | msgspec.UnsetType = msgspec.UNSET
    passenger_id: UUID | msgspec.UnsetType = msgspec.UNSET

    @property
    def people(self) -> list[UUID]:
        """Those of the two who are named, at the top or, for a completed ride, within `ride`."""
        ride = getattr(self, "ride", None)
        others = ride.people if isinstance(ride, Pair) else []
        own = [user_id for user_id in (self.driver_id, self.passenger_id) if user_id is not msgspec.UNSET]
        return list(dict.fromkeys([*own, *others]))


class Incoming(msgspec.Struct, frozen=True):
    """A message that can be delivered. `fields` are those of its event, each of which may be `UNSET`."""

    message: Msg
    delivery: Delivery
    is_ours: bool
    fields: Pair

    @property
    def subject(self) -> str:
        """The subject of the contract on which it came."""
        return plain_subject(self.message.subject)


def read_message(message: Msg, stream_id: str, believed: Collection[str] = ()) -> Incoming | None:
    """Return what a message says; None where its subject is not bridged. Raises `Unreadable`.

    A message is ours by its signature, or by its id where that is `believed` (`claimed_id`).

    A bare message is identified by the stream (`stream_id` tells it from an earlier one of the same name), its sequence
    and its moment: a stream that has lost its end gives the same sequences to other messages.
    """
    event = _event_of(message.subject)
    if event is None:
        return None
    if len(message.data) > MAX_PAYLOAD:
        raise Unreadable(f"the payload has {len(message.data)} bytes; at most {MAX_PAYLOAD} are delivered")
    try:
        incoming = _read(message, event, stream_id, believed)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError, ValueError) as exc:
        raise Unreadable(f"not of the contract: {exc}") from exc
    if not incoming.delivery.audience:
        raise Unreadable("no audience: neither driver_id nor passenger_id")
    return incoming


def claimed_id(message: Msg) -> str | None:
    """Return the event id of a message whose headers claim to be ours without our signature."""
    headers: Mapping[str, str] = message.headers or {}
    if not _claims_to_be_ours(headers) or is_signed(message.subject, message.data, headers):
        return None
    if message.subject.startswith(SHARD_PREFIX):  # no version has published there without a signature
        return None
    return headers[ID_HEADER]


def _claims_to_be_ours(headers: Mapping[str, str]) -> bool:
    return TYPE_HEADER in headers and _is_event_id(event_id_of(headers.get(ID_HEADER, "")))


def _read(message: Msg, event: type[Event], stream_id: str, believed: Collection[str]) -> Incoming:
    headers: Mapping[str, str] = message.headers or {}
    is_ours = _claims_to_be_ours(headers) and (
        headers[ID_HEADER] in believed or is_signed(message.subject, message.data, headers)
    )
    message.data.decode()  # unknown fields are not looked at by the decoder, but sent as text
    fields = _decoder(event).decode(message.data)
    if not is_ours:
        _check_texts(fields)
    at = message.metadata.timestamp.timestamp()
    delivery = Delivery(
        event_id=event_id_of(headers[ID_HEADER])
        if is_ours
        else f"{stream_id}:{message.metadata.sequence.stream}:{at:.6f}",
        type=event.type,
        data=message.data,
        audience=(is_ours and _views(headers)) or dict.fromkeys(fields.people),
        at=at,
        valid_until=_valid_until(headers),
        traceparent=traceparent_of(headers.get(TRACE_HEADER)),
    )
    return Incoming(message, delivery, is_ours, fields)


def _check_texts(fields: msgspec.Struct) -> None:
    """Raise `ValueError` for a known text that is longer than any of ours, or an address that is none of a page."""
    for name in fields.__struct_fields__:
        value = getattr(fields, name)
        if isinstance(value, msgspec.Struct):
            _check_texts(value)
        elif isinstance(value, str):
            if len(value) > MAX_TEXT:
                raise ValueError(f"{name} has {len(value)} characters; at most {MAX_TEXT} are delivered")
            if name.endswith("_url") and not value.startswith(("https://", "http://")):
                raise ValueError(f"{name} is no http address")


@cache
def events_by_subject() -> dict[str, type[Event]]:
    """Return the event of each subject that is bridged."""
    return {event.subject: event for event in EVENTS if is_streamed(event.subject)}


def _event_of(subject: str) -> type[Event] | None:
    """Return the event of a subject; what is in no stream of the contract is in those of shards."""
    plain = plain_subject(subject)
    return (
        _unstreamed_by_subject().get(plain)
        if plain != subject and not is_streamed(plain)
        else events_by_subject().get(plain)
    )


@cache
def _unstreamed_by_subject() -> dict[str, type[Event]]:
    return {event.subject: event for event in EVENTS if event.type and not is_streamed(event.subject)}


def _views(headers: Mapping[str, str]) -> dict[UUID, bytes | None]:
    if VIEWS_HEADER not in headers:
        return {}
    views = msgspec.json.decode(headers[VIEWS_HEADER], type=dict[UUID, msgspec.Raw])
    if not all(bytes(view) == b"null" or bytes(view).startswith(b"{") for view in views.values()):
        raise ValueError(f"{VIEWS_HEADER}: each must be an object or null")
    return {user_id: None if bytes(view) == b"null" else bytes(view) for user_id, view in views.items()}


def _is_event_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _valid_until(headers: Mapping[str, str]) -> float | None:
    if VALID_UNTIL_HEADER not in headers:
        return None
    return float(msgspec.convert(headers[VALID_UNTIL_HEADER], Moment).timestamp())


@cache
def _decoder(event: type[Event]) -> msgspec.json.Decoder[Pair]:
    return msgspec.json.Decoder(_loose(event))


def _loose(kind: type[msgspec.Struct]) -> type[Pair]:
    """Return a struct like `kind` in which every field may be missing, and ids and enumerations may be any text."""
    fields: list[Any] = [
        (field.name, Union[_loose_type(field.type), msgspec.UnsetType], msgspec.UNSET)  # noqa: UP007
        for field in msgspec.structs.fields(kind)
        if field.name not in Pair.__struct_fields__
    ]
    loose: Any = msgspec.defstruct(f"Loose{kind.__name__}", fields, bases=(Pair,), frozen=True)
    return cast("type[Pair]", loose)


def _loose_type(kind: Any) -> Any:
    """Return the type that a field of another service must have: what JSON can tell, and moments as moments."""
    origin = get_origin(kind)
    if origin is Annotated:  # meanings and ranges are dropped where the type itself becomes looser
        inner = get_args(kind)[0]
        return kind if _loose_type(inner) == inner else _loose_type(inner)
    if origin in (Union, UnionType):
        return Union[tuple(_loose_type(option) for option in get_args(kind))]  # noqa: UP007
    if kind is UUID or origin is Literal:
        return str
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not GeoPoint:
        return _loose(kind)
    return kind
