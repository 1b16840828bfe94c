"""Reading what comes over NATS: from a message to a delivery, or the reason why it cannot be one.

Our own messages say their type and identity in headers. Those of other services are bare: flat JSON on the subjects of
the contract. Their fields go to the clients as they are, also unknown ones; known ones are checked by type.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import msgspec
from django.utils import timezone
from nats.aio.msg import Msg

from events.base import Event, Moment
from events.stream import ID_HEADER, TYPE_HEADER, VALID_UNTIL_HEADER, VIEWS_HEADER, is_streamed
from realtime.delivery.history import Delivery
from rides.events import EVENTS

MAX_PAYLOAD = 64 * 1024
"""Bytes; a client has to take it in one frame."""

PEOPLE = ("driver_id", "passenger_id")


class Unreadable(Exception):
    """A message that can never be delivered; the text says why."""


class Inbound(msgspec.Struct, frozen=True):
    """A message that can be delivered. `fields` are the known ones, where it is of another service."""

    sequence: int
    delivery: Delivery
    subject: str
    is_ours: bool
    expired: bool
    fields: Any = None


def read_message(message: Msg, stream_id: str) -> Inbound | None:
    """Return what a message says; None where its subject is not ours to bridge. Raises `Unreadable`.

    `stream_id` tells this stream from one of the same name that was made anew: a bare message is known by the stream
    and its sequence.
    """
    event = events_by_subject().get(message.subject)
    if event is None:
        return None
    headers: Mapping[str, str] = message.headers or {}
    if len(message.data) > MAX_PAYLOAD:
        raise Unreadable(f"the payload has {len(message.data)} bytes; at most {MAX_PAYLOAD} are delivered")
    sequence = message.metadata.sequence.stream
    is_ours = TYPE_HEADER in headers and _is_event_id(headers.get(ID_HEADER, ""))
    event_id = headers[ID_HEADER] if is_ours else f"{stream_id}:{sequence}"
    try:
        message.data.decode()  # what is not known is not looked at below, but sent as text
        fields = _reader(event).decode(message.data)
        views = (is_ours and _views(headers)) or dict.fromkeys(_people(fields))
        expired = timezone.now() >= _moment(headers[VALID_UNTIL_HEADER]) if VALID_UNTIL_HEADER in headers else False
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError, ValueError) as exc:
        raise Unreadable(f"not of the contract: {exc}") from exc
    if not views:
        raise Unreadable("no audience: neither driver_id nor passenger_id")
    delivery = Delivery(event_id, event.type, message.data, views, message.metadata.timestamp.timestamp())
    return Inbound(sequence, delivery, message.subject, is_ours, expired, fields)


@cache
def events_by_subject() -> dict[str, type[Event]]:
    """Return the event of each subject that is bridged."""
    return {event.subject: event for event in EVENTS if is_streamed(event.subject)}


def _people(fields: Any) -> list[UUID]:
    """Return the driver and the passenger, who stand at the top or within `ride`."""
    places = (fields, getattr(fields, "ride", msgspec.UNSET))
    found = [getattr(place, name, msgspec.UNSET) for place in places for name in PEOPLE]
    return list(dict.fromkeys(user_id for user_id in found if user_id is not msgspec.UNSET))


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


def _moment(text: str) -> datetime:
    return msgspec.convert(text, Moment)


@cache
def _reader(event: type[Event]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_loose(event))


def _loose(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return a struct like `kind` in which every field may be missing, and texts may be any text."""
    fields: list[Any] = [
        (field.name, Union[_loose_type(field.name, field.type), msgspec.UnsetType], msgspec.UNSET)  # noqa: UP007
        for field in msgspec.structs.fields(kind)
    ]
    if kind.__name__ == "RideCompleted":
        fields += [(name, Union[UUID, msgspec.UnsetType], msgspec.UNSET) for name in PEOPLE]  # noqa: UP007
    return msgspec.defstruct(f"Loose{kind.__name__}", fields, frozen=True)


def _loose_type(name: str, kind: Any) -> Any:
    """Return the type that a field of another service must have: what JSON can tell, and moments as moments."""
    if name in PEOPLE:
        return UUID
    origin = get_origin(kind)
    if origin is Annotated:
        return kind
    if origin in (Union, UnionType):
        return Union[tuple(_loose_type(name, option) for option in get_args(kind))]  # noqa: UP007
    if kind is UUID or origin is Literal:
        return str
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and issubclass(kind, Event):
        return _loose(kind)
    return kind
