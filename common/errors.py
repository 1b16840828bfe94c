"""The errors of the contract, the same on the WebSocket and on REST.

DomainError                an error that is answered to the client, with one of the codes of `ErrorCode`
├── ValidationFailed       a wrong field or range, a state that does not allow the request, an id of somebody else
│   └── Conflict           the same, answered with 409 on REST
├── InvalidFormat          not JSON, not the envelope, an unknown type
├── Unauthorized           a security matter: the client only reads `Authentication required`
└── RateLimited            too many requests; has the seconds after which to try again
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta


class DocumentedWord(StrEnum):
    """Words of the contract, each with its meaning."""

    meaning: str
    """A sentence for the documents."""

    def __new__(cls, word: str, meaning: str = "") -> Self:
        """Make a member that is its word and has a meaning."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member


class ErrorCode(DocumentedWord):
    """The codes a client may see in `error.data.code` or in the body of a REST error."""

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


REASON = Meta(
    description="The reason, for programs: a word that stays the same. New ones may come; without it the code says all."
)


class ErrorReason(DocumentedWord):
    """Stable words for what is wrong, finer than the code: for programs, as the message is for people.

    Each app has a subclass for its reasons.
    """


class CommonReason(ErrorReason):
    """Reasons that any call or command may have."""

    NOT_JSON = "not_json", "The frame or the body is not JSON, or too long or too deep."
    NOT_AN_OBJECT = "not_an_object", "The frame is JSON, but not an object."
    UNKNOWN_TYPE = "unknown_type", "There is no command of this type."
    MISSING_FIELD = "missing_field", "A field is needed and is not there."
    INVALID_FIELD = "invalid_field", "A field has a value that it may not have."
    NOT_FOUND = "not_found", "It does not exist, or belongs to somebody else."
    ID_REUSED = "id_reused", "The `id` was used for another command within the last ten minutes."
    METHOD_NOT_ALLOWED = "method_not_allowed", "This address does not take this HTTP method."
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", "The body is not `application/json`."
    NOT_ACCEPTABLE = "not_acceptable", "Another format than JSON is wanted."
    TOO_MANY_REQUESTS = "too_many_requests", "Too many calls within a minute."


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body with which a REST call, or a handshake, is refused."""

    code: Annotated[ErrorCode, Meta(description="The kind of mistake.")]
    message: Annotated[str, Meta(description="The reason, for people.")]
    reason: Annotated[str | None, REASON] = None
    fields: Annotated[dict[str, list[str]] | None, Meta(description="What is wrong with single fields, by name.")] = (
        None
    )


def error_body(
    code: ErrorCode, message: str, reason: ErrorReason | None = None, fields: dict[str, list[str]] | None = None
) -> dict[str, Any]:
    """Return the body of a REST error."""
    body = ErrorBody(code=code, message=message, reason=reason, fields=fields or None)
    made: dict[str, Any] = msgspec.to_builtins(body)
    return made


SECURITY_MESSAGE = "Authentication required"
SERVER_MESSAGE = "Internal server error"


class DomainError(Exception):
    """A request that cannot be carried out, for a reason that is sent to the client.

    `message` is the whole reason in words and `reason` the one for programs, where it says more than the code;
    `field` is the name of the input it is about, where there is one.
    """

    code = ErrorCode.INTERNAL_ERROR

    def __init__(self, message: str, *, reason: ErrorReason | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.field = field

    @property
    def client_message(self) -> str:
        """The `message` that is sent to the client."""
        return self.message


class ValidationFailed(DomainError):
    """The input, or the state of a match or ride, does not allow the request."""

    code = ErrorCode.VALIDATION_FAILED


class Conflict(ValidationFailed):
    """The present state does not allow the request (409 on REST)."""


class InvalidFormat(DomainError):
    """The request does not have the form that the contract requires."""

    code = ErrorCode.INVALID_FORMAT


class Unauthorized(DomainError):
    """The client is not allowed to do this; the reason is logged, and never sent to the client."""

    code = ErrorCode.UNAUTHORIZED

    @property
    def client_message(self) -> str:
        """The same sentence for all security matters."""
        return SECURITY_MESSAGE


class RateLimited(DomainError):
    """Too many requests; `retry_after` is in seconds."""

    code = ErrorCode.RATE_LIMIT

    def __init__(self, message: str, *, retry_after: float, reason: ErrorReason | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


def brief(exc: BaseException) -> str:
    """Return the first line of an exception's message, or its class name where there is none."""
    return str(exc).partition("\n")[0] or type(exc).__name__
