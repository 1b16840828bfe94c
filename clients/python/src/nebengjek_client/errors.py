"""Everything that the client raises.

NebengJekError
├── ServerError              the server's answer: code, message, reason, field, retry_after, and the HTTP status on REST
│   ├── InvalidFormat        INVALID_FORMAT
│   ├── ValidationFailed     VALIDATION_FAILED
│   ├── Unauthorized         UNAUTHORIZED
│   ├── RateLimited          RATE_LIMIT
│   └── InternalError        INTERNAL_ERROR
├── CommandDropped           a command that gets no answer
│   ├── QueueFull            it was not taken: too many wait already
│   ├── CommandExpired       it waited longer than the server remembers ids; `sent` says whether it may have happened
│   └── CommandTooLarge      it is over `limits.max_message_size`, and was not sent
├── SubscriptionOverflow     frames came, and nobody read them
├── Unreachable              REST only: no answer; the socket comes back by itself instead
└── ConnectionEnded          the end: the client does not come back, and whatever is asked of it raises this
    ├── ClientClosed         the application closed it
    ├── LoginRequired        the tokens are no good any more, and could not be refreshed
    ├── Replaced             a newer connection of the same user took over (4409)
    └── ConnectFailed        there was no session in time, or the server has no socket here
"""

from __future__ import annotations

from typing import Any


class NebengJekError(Exception):
    """Whatever the client raises."""


class ServerError(NebengJekError):
    """The server answered with an error; `retry_after` is in seconds, `status` that of HTTP (None on the socket).

    `reason` is a word that stays the same, such as `offer_expired` (docs/protocol.md has them all); there may be new
    ones. Where the server gives none it is the code in lower case.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        reason: str | None = None,
        field: str | None = None,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.reason = reason or code.lower()
        self.field = field
        self.retry_after = retry_after
        self.status = status


class InvalidFormat(ServerError):
    """The frame, or the body, is not of the contract."""


class ValidationFailed(ServerError):
    """A field, a range, a state that does not allow it, an id that is not yours."""


class Unauthorized(ServerError):
    """A wrong role or a bad token."""


class RateLimited(ServerError):
    """Too much in too little time; `retry_after` says when to come back."""


class InternalError(ServerError):
    """A fault of the server: nothing has happened."""


KINDS: dict[str, type[ServerError]] = {
    "INVALID_FORMAT": InvalidFormat,
    "VALIDATION_FAILED": ValidationFailed,
    "UNAUTHORIZED": Unauthorized,
    "RATE_LIMIT": RateLimited,
    "INTERNAL_ERROR": InternalError,
}


def server_error(data: dict[str, Any], *, status: int | None = None, retry_after: float | None = None) -> ServerError:
    """Return the exception for an error of the contract; a code that is not known is a plain `ServerError`."""
    code = str(data.get("code", ""))
    kind = KINDS.get(code, ServerError)
    fields = data.get("fields")
    field = data.get("field") or (next(iter(fields), None) if isinstance(fields, dict) else None)
    message = str(data.get("message", ""))
    retry_after = data.get("retry_after", retry_after)
    return kind(code, message, reason=data.get("reason"), field=field, retry_after=retry_after, status=status)


class CommandDropped(NebengJekError):
    """A command that gets no answer."""


class QueueFull(CommandDropped):
    """The command was not taken: too many wait for the connection already."""


class CommandExpired(CommandDropped):
    """The command waited longer than the server remembers commands, so it is not sent (again).

    `sent` says whether it went out once, without an answer: then it may have been carried out.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class CommandTooLarge(CommandDropped):
    """The frame is over `limits.max_message_size`; it was not sent."""


class SubscriptionOverflow(NebengJekError):
    """A subscription was not read for so long that its frames are no longer kept."""


class Unreachable(NebengJekError):
    """The server gave no answer over HTTP."""


class ConnectionEnded(NebengJekError):
    """The client has ended and does not come back. `code` is the close code of the socket, where that ended it."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ClientClosed(ConnectionEnded):
    """The application closed the client."""


class LoginRequired(ConnectionEnded):
    """The tokens are no good any more, and could not be refreshed: the user must log in again."""


class Replaced(ConnectionEnded):
    """A newer connection of the same user took over."""


class ConnectFailed(ConnectionEnded):
    """There was no session in time, or the server has no socket at this address."""
