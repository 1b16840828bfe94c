"""The AsyncAPI 3.0 document of `/ws/`: `docs/asyncapi.json`.

It describes the server's side, as AsyncAPI does: the server receives commands and sends messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.conf import settings

from common.errors import SECURITY_MESSAGE, CommonReason, ErrorCode, ErrorReason
from common.schemas import Schema, schema_of
from realtime.contract.frames import CloseCode, CommandId
from realtime.contract.messages import Ack, Error
from realtime.contract.reasons import SocketReason
from realtime.server.http_protocol import NO_ROOM, RETRY_AFTER
from rides.reasons import RideReason
from users.reasons import UserReason
from web.docs.contract import FrameType, camel, commands, data_schemas, messages
from web.docs.prose import prose

CHANNEL = "#/channels/ws"

REASONS: tuple[type[ErrorReason], ...] = (CommonReason, UserReason, RideReason, SocketReason)
"""The reasons of all apps."""

COMMANDS, NOTIFICATIONS, OTHERS = "commands", "notifications", "other messages"

TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…"  # noqa: S105

ACCESS = "An access token (JWT, HS256) of `POST /api/auth/token/`"

SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": f"{ACCESS}, in the header `Authorization: Bearer <token>`.",
    },
    "subprotocol": {
        "type": "httpApiKey",
        "in": "header",
        "name": "Sec-WebSocket-Protocol",
        "description": f"{ACCESS}, for browsers, as the pair of subprotocols `bearer, <token>`; the server answers "
        "with the subprotocol `bearer`.",
    },
}

HANDSHAKE_HEADERS = {
    "Authorization": {
        "type": "string",
        "pattern": "^[Bb]earer .+$",
        "description": "`Bearer <access token>`; browsers use the subprotocols instead.",
        "examples": [f"Bearer {TOKEN}"],
    },
    "Sec-WebSocket-Protocol": {
        "type": "string",
        "pattern": "^bearer(, *.+)?$",
        "description": "`bearer, <access token>`, for browsers.",
        "examples": [f"bearer, {TOKEN}"],
    },
    "Origin": {
        "type": "string",
        "description": "None (native apps), the site's own, or one of `WS_ALLOWED_ORIGINS`.",
        "examples": ["https://nebengjek.example"],
    },
}

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


def document(public_url: str) -> dict[str, Any]:
    """Return the document for a server at this address."""
    frames = [*commands(), *messages()]
    return {
        "asyncapi": "3.0.0",
        "id": "urn:nebengjek:ws",
        "info": {
            "title": "NebengJek",
            "version": settings.VERSION,
            "description": f"Taking rides over one WebSocket per person.\n\n{prose('Frames')}",
            "tags": [
                {"name": COMMANDS, "description": prose("What a client may send")},
                {"name": NOTIFICATIONS, "description": prose("What the server sends")},
                {"name": OTHERS, "description": "What the server sends without a number."},
            ],
        },
        "defaultContentType": "application/json",
        "servers": {"server": _server(public_url)},
        "channels": {"ws": _channel(frames)},
        "operations": {
            f"{'receive' if frame.is_command else 'send'}{camel(frame.type)}": _operation(frame)
            for frame in frames
            if frame.struct is not Ack
        },
        "components": {
            "messages": {frame.name: _message(frame) for frame in frames},
            "schemas": {**_data_schemas(), **{frame.name: _envelope(frame) for frame in frames}},
            "securitySchemes": SECURITY_SCHEMES,
            "correlationIds": {
                "commandId": {"description": "The client's `id` of the command.", "location": "$message.payload#/id"}
            },
        },
    }


def close_codes() -> list[dict[str, Any]]:
    """Return how a socket may end: what it means, whether the client reconnects, and how it may come to it."""
    return [
        {
            "code": int(code), "name": code.name, "meaning": code.meaning, "reconnect": code.reconnect,
            "example": code.example,
        }
        for code in CloseCode
    ]  # fmt: skip


def handshake_answers() -> list[dict[str, Any]]:
    """Return how a handshake may be answered; a refusal has this JSON body."""
    rate = settings.DECLARED_VARIABLES["WS_CONNECT_RATE"]
    refused, limited = ErrorCode.VALIDATION_FAILED, ErrorCode.RATE_LIMIT
    return [
        _answer(101, "The socket is open; `session_ready` follows.", {"Sec-WebSocket-Protocol": "bearer"}),
        _answer(401, "No valid token.", {"WWW-Authenticate": "Bearer"}, ErrorCode.UNAUTHORIZED, SECURITY_MESSAGE),
        _answer(403, "An `Origin` that is not allowed.", {}, ErrorCode.UNAUTHORIZED, "Origin not allowed"),
        _answer(404, "Another path than `/ws/`.", {}, refused, "Not found."),
        _answer(426, "A request that is no handshake.", {"Upgrade": "websocket"}, refused, "This is a WebSocket: …"),
        _answer(
            429,
            "Too many by one user or, without a valid token, from one address.",
            {"Retry-After": "1"},
            limited,
            f"At most {rate} connections a minute from one user.",
        ),
        _answer(431, "Headers that are too large.", {}, refused, "Request Header Fields Too Large."),
        _answer(
            503,
            "The server has no room for more connections, or no time to let this one in within `WS_HANDSHAKE_TIMEOUT`.",
            {"Retry-After": str(RETRY_AFTER)},
            limited,
            NO_ROOM,
        ),
    ]


def _answer(
    status: int, meaning: str, headers: Mapping[str, str], code: ErrorCode | None = None, message: str = ""
) -> dict[str, Any]:
    body = {"body": {"code": code.value, "message": message}} if code else {}
    return {"status": status, "meaning": meaning, **({"headers": headers} if headers else {}), **body}


def _server(public_url: str) -> dict[str, Any]:
    parts = urlsplit(public_url)
    return {
        "host": parts.netloc,
        **({"pathname": parts.path} if parts.path else {}),
        "protocol": "wss" if parts.scheme == "https" else "ws",
        "description": "Any process of the system: a person may connect to any of them, and to another one next time.",
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in SECURITY_SCHEMES],
    }


def _channel(frames: Iterable[FrameType]) -> dict[str, Any]:
    handshake = {
        "method": "GET",
        "query": {"type": "object", "properties": {"resume": RESUME}},
        "headers": {"type": "object", "properties": HANDSHAKE_HEADERS},
        "bindingVersion": "0.1.0",
    }
    return {
        "address": "/ws/",
        "title": "The socket",
        "summary": "The commands and notifications of one person.",
        "description": f"{prose('Connecting')}\n\n## Resuming\n\n{prose('Resuming')}",
        "servers": [{"$ref": "#/servers/server"}],
        "messages": {frame.name: {"$ref": f"#/components/messages/{frame.name}"} for frame in frames},
        "bindings": {"ws": handshake},
        "x-handshake-answers": handshake_answers(),
        "x-close-codes": close_codes(),
    }


def _operation(frame: FrameType) -> dict[str, Any]:
    tag = COMMANDS if frame.is_command else NOTIFICATIONS if frame.is_numbered else OTHERS
    reply = {"channel": {"$ref": CHANNEL}, "messages": _references("AckMessage", "ErrorMessage")}
    return {
        "action": "receive" if frame.is_command else "send",
        "channel": {"$ref": CHANNEL},
        "title": frame.title,
        "summary": frame.summary,
        "tags": [{"name": tag}],
        "messages": _references(frame.name),
        **({"reply": reply} if frame.is_command else {}),
    }


def _references(*names: str) -> list[dict[str, str]]:
    return [{"$ref": f"{CHANNEL}/messages/{name}"} for name in names]


def _message(frame: FrameType) -> dict[str, Any]:
    unstored = {"description": "Its answer is not stored: sent again, the command is carried out again."}
    correlated = {"correlationId": {"$ref": "#/components/correlationIds/commandId"}}
    return {
        "name": frame.type,
        "title": frame.title,
        "summary": frame.summary,
        "payload": {"$ref": f"#/components/schemas/{frame.name}"},
        "tags": [{"name": role} for role in frame.roles],
        **(unstored if frame.is_command and not frame.is_stored else {}),
        **(correlated if frame.is_command or frame.struct in (Ack, Error) else {}),
        "examples": _examples(frame.examples()),
        **({"x-sent-by": list(frame.roles)} if frame.is_command else {"x-sent-to": frame.people}),
        **({"x-subjects": list(frame.subjects)} if frame.subjects else {}),
        **(
            {"x-error-codes": _error_codes(frame.examples()), "x-error-reasons": _error_reasons()}
            if frame.struct is Error
            else {}
        ),
    }


def _examples(frames: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": f"example{n}", "summary": text, "payload": frame} for n, (text, frame) in enumerate(frames.items(), 1)
    ]


def _error_codes(frames: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "code": code.value,
            "meaning": code.meaning,
            "examples": _examples({text: one for text, one in frames.items() if one["data"]["code"] == code}),
        }
        for code in ErrorCode
    ]


def _error_reasons() -> list[dict[str, str]]:
    return [{"reason": word.value, "meaning": word.meaning} for kind in REASONS for word in kind]


def _data_schemas() -> dict[str, Schema]:
    schemas = data_schemas()
    schemas["ErrorCode"]["description"] = " ".join(f"`{code}`: {code.meaning}" for code in ErrorCode)
    return schemas


def _envelope(frame: FrameType) -> Schema:
    """Return the schema of the whole frame."""
    seq = {"type": "integer", "minimum": 1, "description": "The number of the notification; counts up by one."}
    own = {"seq": seq} if frame.is_numbered else {"id": schema_of(CommandId)} if frame.has_id else {}
    required = ["seq"] if frame.is_numbered else ["id"] if frame.struct is Ack else []
    return {
        "title": frame.name,
        "type": "object",
        "properties": {
            "type": {"type": "string", "const": frame.type},
            "data": {"$ref": f"#/components/schemas/{frame.data_name}"},
            **own,
        },
        "required": ["type", "data", *required],
    }
