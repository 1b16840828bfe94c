"""The AsyncAPI 3.0 document of `/ws/`: `docs/asyncapi.json`.

It looks from the server's side, as AsyncAPI does: the server receives commands and sends messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.conf import settings

from common.errors import ErrorCode
from common.rest.schemas import Schema, components, schema_of
from events.base import Event
from realtime.commands.routes import ROUTES, Route
from realtime.contract.frames import CommandId
from realtime.contract.messages import MESSAGES, Ack, Error, LocationRelayed, Message
from rides.events import EVENTS, BeaconUpdated, FinderUpdated
from users.models import Role
from web.docs.asyncapi import glossary
from web.docs.asyncapi.examples import Example, command_examples, error_examples, message_examples
from web.docs.asyncapi.meanings import ERRORS, closes, handshake_answers
from web.docs.reference import first_line, prose

PAGE = "docs/asyncapi.json"

CHANNEL = "#/channels/ws"

COMMANDS, NOTIFICATIONS, OTHERS = "commands", "notifications", "other messages"

BOTH = tuple(sorted(Role.values))

RESUME = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_-]{1,64}:[0-9]{1,18}$",
    "description": "The `epoch` of the last `session_ready` and the highest `seq` seen, as `<epoch>:<seq>`.",
    "examples": ["kq3x9ZtY0w:17"],
}


@cache
def render(public_url: str) -> str:
    """Return the document for a server at this address as JSON."""
    text = msgspec.json.format(msgspec.json.encode(document(public_url)), indent=2).decode()
    return text + "\n"


def page() -> Path:
    """Return where the document of the default address lives in the repository."""
    return Path(settings.BASE_DIR) / PAGE


def default_url() -> str:
    """Return the address of a server where nothing is set."""
    return str(settings.DECLARED_VARIABLES["PUBLIC_URL"])


def document(public_url: str) -> dict[str, Any]:
    """Return the document for a server at this address."""
    commands = {_name(kind, "Command"): _command(kind, route) for kind, route in ROUTES.items()}
    messages = {_name(kind.type, "Message"): _message(kind) for kind in sent_structs()}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:nebengjek:ws",
        "info": {
            "title": "NebengJek",
            "version": settings.VERSION,
            "description": f"Taking rides over one WebSocket for each person.\n\n{prose('Frames')}",
            "tags": [
                {"name": COMMANDS, "description": prose("What a client may send")},
                {"name": NOTIFICATIONS, "description": prose("What the server tells")},
                {"name": OTHERS, "description": "What the server says without a number."},
            ],
        },
        "defaultContentType": "application/json",
        "servers": {"server": _server(public_url)},
        "channels": {"ws": _channel([*commands, *messages])},
        "operations": _operations(),
        "components": {
            "messages": {**commands, **messages},
            "schemas": {**_command_schemas(), **_message_schemas(), **_envelopes()},
            "securitySchemes": _security_schemes(),
            "correlationIds": {
                "commandId": {"description": "The client's `id` of the command.", "location": "$message.payload#/id"}
            },
        },
    }


def sent_structs() -> list[type[Event] | type[Message]]:
    """Return the data of everything that the server sends, one class for each type of frame."""
    found: dict[str, type[Event]] = {}
    for event in EVENTS:
        others = [one for one in EVENTS if one.type == event.type]
        found[event.type] = event if len(others) == 1 else _shared(others)
    first, *rest = MESSAGES
    return [first, *found.values(), *rest]


def _shared(events: Sequence[type[Event]]) -> type[Event]:
    """Return the class that events of one type have in common."""
    return next(base for base in events[0].__mro__ if all(issubclass(event, base) for event in events))


def _name(frame_type: str, suffix: str) -> str:
    return "".join(word.capitalize() for word in frame_type.split("_")) + suffix


def _title(frame_type: str) -> str:
    return frame_type.replace("_", " ").capitalize()


def _server(public_url: str) -> dict[str, Any]:
    parts = urlsplit(public_url)
    return {
        "host": parts.netloc,
        **({"pathname": parts.path} if parts.path else {}),
        "protocol": "wss" if parts.scheme == "https" else "ws",
        "description": "Any process of the system: a person may connect to any, and again to another.",
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _security_schemes()],
    }


def _security_schemes() -> dict[str, Any]:
    token = "An access token (JWT, HS256) of `POST /api/auth/token/`"  # noqa: S105
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": f"{token}, in the header `Authorization: Bearer <token>`.",
        },
        "subprotocol": {
            "type": "httpApiKey",
            "in": "header",
            "name": "Sec-WebSocket-Protocol",
            "description": f"{token}, for browsers, as the pair of subprotocols `bearer, <token>`; the server answers "
            "with the subprotocol `bearer`.",
        },
    }


def _channel(messages: Sequence[str]) -> dict[str, Any]:
    return {
        "address": "/ws/",
        "title": "The socket",
        "summary": "Everything that one person does, and is told.",
        "description": f"{prose('Connecting')}\n\n## Resuming\n\n{prose('Resuming')}",
        "servers": [{"$ref": "#/servers/server"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": _handshake()},
        "x-handshake-answers": msgspec.to_builtins(handshake_answers()),
        "x-close-codes": msgspec.to_builtins(closes()),
    }


def _handshake() -> dict[str, Any]:
    headers = {
        "Authorization": {
            "type": "string",
            "pattern": "^[Bb]earer .+$",
            "description": "`Bearer <access token>`; in a browser the subprotocols stand for it.",
            "examples": ["Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…"],
        },
        "Sec-WebSocket-Protocol": {
            "type": "string",
            "pattern": "^bearer(, *.+)?$",
            "description": "`bearer, <access token>`, for browsers.",
            "examples": ["bearer, eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…"],
        },
        "Origin": {
            "type": "string",
            "description": "None (native apps), the site's own, or one of `WS_ALLOWED_ORIGINS`.",
            "examples": ["https://nebengjek.example"],
        },
    }
    return {
        "method": "GET",
        "query": {"type": "object", "properties": {"resume": RESUME}},
        "headers": {"type": "object", "properties": headers},
        "bindingVersion": "0.1.0",
    }


def _operations() -> dict[str, Any]:
    """Return one operation for each command, with its answers, and one for each message that is no answer."""
    answers = _references([_name(kind.type, "Message") for kind in (Ack, Error)])
    operations: dict[str, Any] = {}
    for frame_type, route in ROUTES.items():
        operation = _operation("receive", frame_type, "Command", first_line(route.command), COMMANDS)
        operations[f"receive{_name(frame_type, '')}"] = {
            **operation, "reply": {"channel": {"$ref": CHANNEL}, "messages": answers},
        }  # fmt: skip
    for kind in sent_structs():
        if kind is not Ack:
            tag = NOTIFICATIONS if issubclass(kind, Event) else OTHERS
            operations[f"send{_name(kind.type, '')}"] = _operation("send", kind.type, "Message", first_line(kind), tag)
    return operations


def _operation(action: str, frame_type: str, suffix: str, summary: str, tag: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": CHANNEL},
        "title": _title(frame_type),
        "summary": summary,
        "tags": [{"name": tag}],
        "messages": _references([_name(frame_type, suffix)]),
    }


def _references(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"$ref": f"{CHANNEL}/messages/{name}"} for name in names]


def _command(frame_type: str, route: Route) -> dict[str, Any]:
    name = _name(frame_type, "Command")
    note = {} if route.service else {"description": "Its answer is not kept: sent again, it is carried out again."}
    return {
        **_common(frame_type, name, first_line(route.command), sorted(route.roles)),
        **note,
        "correlationId": {"$ref": "#/components/correlationIds/commandId"},
        "examples": _examples(command_examples(frame_type)),
        "x-sent-by": sorted(route.roles),
    }


def _message(kind: type[Event] | type[Message]) -> dict[str, Any]:
    name = _name(kind.type, "Message")
    people = {BeaconUpdated: (Role.DRIVER.value,), FinderUpdated: (Role.PASSENGER.value,)}.get(kind, BOTH)
    message = {
        **_common(kind.type, name, first_line(kind), people),
        "examples": _examples(message_examples(kind.type)),
        "x-sent-to": _audience(kind),
    }
    if issubclass(kind, Event):
        message["x-subjects"] = [event.subject for event in EVENTS if event.type == kind.type]
    if kind in (Ack, Error):
        message["correlationId"] = {"$ref": "#/components/correlationIds/commandId"}
    if kind is Error:
        message["x-error-codes"] = _error_codes()
    return message


def _common(frame_type: str, name: str, summary: str, roles: Sequence[str]) -> dict[str, Any]:
    return {
        "name": frame_type,
        "title": _title(frame_type),
        "summary": summary,
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "tags": [{"name": role} for role in roles],
    }


def _audience(kind: type[Event] | type[Message]) -> str:
    if kind is LocationRelayed:
        return "the other party of the current ride"
    if kind is BeaconUpdated:
        return "the driver"
    if kind is FinderUpdated:
        return "the passenger"
    return "driver and passenger" if issubclass(kind, Event) else "the client of this socket"


def _examples(examples: Sequence[Example]) -> list[dict[str, Any]]:
    return [{"name": f"example{n}", "summary": text, "payload": frame} for n, (text, frame) in enumerate(examples, 1)]


def _error_codes() -> list[dict[str, Any]]:
    examples = error_examples()
    return [
        {
            "code": code.value,
            "meaning": ERRORS[code],
            "examples": _examples([(text, frame) for one, text, frame in examples if one == code]),
        }
        for code in ErrorCode
    ]


def _command_schemas() -> dict[str, Schema]:
    """Return the schemas of the commands' data; events have some of these names too, so they get longer ones."""
    schemas = components([route.command for route in ROUTES.values()], glossary.COMMANDS)
    for kind, route in ROUTES.items():
        name = _name(kind, "CommandData")
        schemas[name] = {**schemas.pop(route.command.__name__), "title": name}
    return schemas


def _message_schemas() -> dict[str, Schema]:
    schemas = components(sent_structs(), glossary.MESSAGES)
    codes = {code.value: meaning for code, meaning in ERRORS.items()}
    schemas["ErrorCode"]["description"] = " ".join(f"`{code}`: {meaning}" for code, meaning in codes.items())
    return schemas


def _envelopes() -> dict[str, Schema]:
    """Return the schemas of the whole frames."""
    command_id = {**schema_of(CommandId), "description": "The client's name for the command, new for each."}
    seq = {"type": "integer", "minimum": 1, "description": "The number of the notification; counts up by one."}
    schemas = {}
    for kind in ROUTES:
        schemas[_name(kind, "Command")] = _envelope(kind, "Command", _name(kind, "CommandData"), {"id": command_id})
    for struct in sent_structs():
        own = {"seq": seq} if issubclass(struct, Event) else {"id": command_id} if struct in (Ack, Error) else {}
        required = [] if struct is Error else list(own)
        schemas[_name(struct.type, "Message")] = _envelope(struct.type, "Message", struct.__name__, own, required)
    return schemas


def _envelope(kind: str, suffix: str, data: str, own: dict[str, Schema], required: Sequence[str] = ()) -> Schema:
    return {
        "title": _name(kind, suffix),
        "type": "object",
        "properties": {
            "type": {"type": "string", "const": kind},
            "data": {"$ref": f"#/components/schemas/{data}"},
            **own,
        },
        "required": ["type", "data", *required],
    }
