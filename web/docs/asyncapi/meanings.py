"""What the error codes, the close codes and the answers to a handshake mean."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
from django.conf import settings

from common.errors import SECURITY_MESSAGE, ErrorCode
from realtime.contract.frames import CloseCode

ERRORS = {
    ErrorCode.INVALID_FORMAT: "Not JSON, not the envelope, a bad `id`, binary, or `unknown message type: <type>`.",
    ErrorCode.VALIDATION_FAILED: "A field, a range, a state that does not allow it, an id that is not yours.",
    ErrorCode.UNAUTHORIZED: "A wrong role or a bad token; the message is always `Authentication required`.",
    ErrorCode.RATE_LIMIT: "Too many commands; `retry_after` says when to send it again, with the same `id`.",
    ErrorCode.INTERNAL_ERROR: "A fault of the server: nothing has happened, and the same `id` may be sent again.",
}


class Close(msgspec.Struct, frozen=True):
    """How a socket may end: what it means, whether the client comes back by itself, and how it may come to it."""

    code: int
    name: str
    meaning: str
    reconnect: bool
    example: str


_EXAMPLES = {
    CloseCode.TOO_BIG: "A `ride_cancel` with a reason of a thousand characters.",
    CloseCode.SERVER_ERROR: "The database is away while somebody connects.",
    CloseCode.RESTARTING: "A new version is installed.",
    CloseCode.TOO_SLOW: "A phone in a tunnel takes nothing, while more and more is sent.",
    CloseCode.UNAUTHORIZED: "Somebody logs out on another device.",
    CloseCode.NOTHING_HEARD: "A phone has lost its network, and nobody told the server.",
    CloseCode.REPLACED: "The same person opens the app on a second phone.",
    CloseCode.FLOODING: "A loop sends `sync` a thousand times a second.",
}

_STAY_AWAY = (CloseCode.UNAUTHORIZED, CloseCode.REPLACED)


def closes() -> list[Close]:
    """Return all close codes, in their order."""
    source = inspect.getsource(CloseCode).split('"""')[2:]  # what stands below each of them
    texts = [" ".join(text.split()) for text in source[1::2]]
    return [
        Close(int(code), code.name, text, code not in _STAY_AWAY, _EXAMPLES[code])
        for code, text in zip(CloseCode, texts, strict=True)
    ]


class HandshakeAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a handshake may be answered; where it is refused, with this JSON body."""

    status: int
    meaning: str
    headers: dict[str, str] = {}
    body: dict[str, Any] | None = None


def handshake_answers() -> list[HandshakeAnswer]:
    """Return how a handshake may be answered."""
    rate = settings.DECLARED_VARIABLES["WS_CONNECT_RATE"]
    too_many = f"At most {rate} connections a minute from one address."
    return [
        HandshakeAnswer(101, "The socket is open; `session_ready` follows.", {"Sec-WebSocket-Protocol": "bearer"}),
        HandshakeAnswer(
            401, "No good token.", {"WWW-Authenticate": "Bearer"}, _body(ErrorCode.UNAUTHORIZED, SECURITY_MESSAGE)
        ),
        HandshakeAnswer(
            403, "An `Origin` that is not allowed.", {}, _body(ErrorCode.UNAUTHORIZED, "Origin not allowed")
        ),
        HandshakeAnswer(404, "Another path than `/ws/`.", {}, _body(ErrorCode.VALIDATION_FAILED, "Not found.")),
        HandshakeAnswer(429, "Too many from one address.", {"Retry-After": "1"}, _body(ErrorCode.RATE_LIMIT, too_many)),
    ]


def _body(code: ErrorCode, message: str) -> dict[str, str]:
    return {"code": code.value, "message": message}
