"""The errors of the contract, the same on the WebSocket and on REST.

DomainError                a refusal that the client reads, with one of the codes of `ErrorCode`
├── ValidationFailed       a field, a range, a state that does not allow it, an id that is not yours
│   └── Conflict           the same, answered with 409 on REST
├── InvalidFormat          not JSON, not the envelope, an unknown type
├── Unauthorized           a security matter: the client only ever reads `Authentication required`
└── RateLimited            too much in too little time; carries `retry_after`
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

import msgspec
from msgspec import Meta


class ErrorCode(StrEnum):
    """The codes a client may see in `error.data.code` or in the body of a REST error."""

    meaning: str
    """When the code is used, in a sentence for the documents."""

    def __new__(cls, code: str, meaning: str = "") -> Self:
        """Make a member that is its code and has a meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    INVALID_FORMAT = (
        "INVALID_FORMAT",
        "The frame is binary, is not JSON, is not the envelope, has a bad `id` or an unknown type "
        "(`unknown message type: <type>`).",
    )
    VALIDATION_FAILED = (
        "VALIDATION_FAILED",
        "A field is missing or out of range, the current state does not allow the command, or the id does not exist or "
        "belongs to somebody else.",
    )
    UNAUTHORIZED = (
        "UNAUTHORIZED",
        "The token is not valid or the role may not do this. The message is always `Authentication required`.",
    )
    RATE_LIMIT = (
        "RATE_LIMIT",
        "Too many commands. Send the command again after `retry_after` seconds, with the same `id`.",
    )
    INTERNAL_ERROR = (
        "INTERNAL_ERROR",
        "The server failed and nothing was changed. The command may be sent again with the same `id`.",
    )


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body with which a REST call, or a handshake, is refused."""

    code: Annotated[ErrorCode, Meta(description="The kind of mistake.")]
    message: Annotated[str, Meta(description="The reason, for people.")]
    fields: Annotated[dict[str, list[str]] | None, Meta(description="What is wrong with single fields, by name.")] = (
        None
    )


SECURITY_MESSAGE = "Authentication required"
SERVER_MESSAGE = "Internal server error"


class DomainError(Exception):
    """A request that cannot be carried out, for a reason that the client may read.

    `message` is the whole reason, `field` the name of the input it is about, where there is one.
    """

    code = ErrorCode.INTERNAL_ERROR

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def client_message(self) -> str:
        """What the client reads."""
        return self.message


class ValidationFailed(DomainError):
    """The input or the state of things does not allow the request."""

    code = ErrorCode.VALIDATION_FAILED


class Conflict(ValidationFailed):
    """The state of things does not allow the request now (409 on REST)."""


class InvalidFormat(DomainError):
    """The request is not of the form that the contract asks for."""

    code = ErrorCode.INVALID_FORMAT


class Unauthorized(DomainError):
    """Who asks may not; the reason goes to the log, never to the client."""

    code = ErrorCode.UNAUTHORIZED

    @property
    def client_message(self) -> str:
        """The one sentence for all security matters."""
        return SECURITY_MESSAGE


class RateLimited(DomainError):
    """Too many requests; `retry_after` is in seconds."""

    code = ErrorCode.RATE_LIMIT

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def brief(exc: BaseException) -> str:
    """Return the first line of an exception's message, or its class where it has none."""
    return str(exc).partition("\n")[0] or type(exc).__name__
