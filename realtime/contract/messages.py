"""The frames of the server that carry no number: answers, the state, and hints that are worthless a moment later.

The numbered ones are the events of `rides.events`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta

from common.errors import REASON, SECURITY_MESSAGE, SERVER_MESSAGE, CommonReason, ErrorCode, ErrorReason
from common.examples import Examples
from events.base import Moment
from realtime.contract.reasons import SocketReason
from rides.fields import RideId
from rides.geo import Latitude, Longitude
from rides.snapshots import RidesState

RoleName = Literal["passenger", "driver"]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]
Epoch = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of a frame without a number."""

    type: ClassVar[str] = ""

    audience_text: ClassVar[str] = "the client of this socket"
    """Who gets it, for the documents."""

    examples: ClassVar[Examples] = {}
    """Examples for the documents; without any, one is made of the fields."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a client; a rate of 0 is no limit."""

    max_message_size: Annotated[Count, Meta(description="Bytes of a frame (`WS_MAX_MESSAGE_SIZE`).", examples=[512])]
    command_rate: Annotated[Count, Meta(description="Commands per second (`WS_COMMAND_RATE`).", examples=[10])]
    command_burst: Annotated[Count, Meta(description="Commands at once (`WS_COMMAND_BURST`).", examples=[30])]
    location_rate: Annotated[
        Count,
        Meta(description="Positions per second that the other party is shown (`WS_LOCATION_RATE`).", examples=[5]),
    ]
    location_max_age: Annotated[
        Seconds,
        Meta(
            description="A driver whose last position is older gets no offers: report more often (`LOCATION_MAX_AGE`).",
            examples=[60.0],
        ),
    ]


class UserState(RidesState, frozen=True, kw_only=True):
    """Everything that a client shows its user."""

    examples: ClassVar[Examples] = {
        "A passenger who is searching, with one offer": {
            "beacon": None,
            "ride": None,
            "payment": None,
            "last_ride": None,
            "allowed_actions": ["location_update", "token_refresh", "sync", "finder_update", "match_confirm"],
        },
        "A passenger who is being picked up": {
            "beacon": None,
            "finder": {"is_active": False},
            "proposals": [],
            "payment": None,
            "last_ride": None,
            "allowed_actions": ["location_update", "token_refresh", "sync", "ride_cancel"],
        },
    }

    allowed_actions: Annotated[list[str], Meta(description="The commands that make sense now.")]


class SessionReady(Message, frozen=True, kw_only=True):
    """Who the user is, where the stream of notifications stands, and the complete state."""

    type: ClassVar[str] = "session_ready"
    examples: ClassVar[Examples] = {
        "A new session": {},
        "A resumed one: the missed notifications follow": {"recovered": True},
    }

    user_id: Annotated[UUID, Meta(description="The user.", examples=["01990000-0000-7000-8000-000000000002"])]
    role: Annotated[RoleName, Meta(description="The role of the user.", examples=["passenger"])]
    connection_id: Annotated[
        UUID,
        Meta(description="This connection, as in the server's log.", examples=["01990000-0000-7000-8000-000000000006"]),
    ]
    epoch: Annotated[
        Epoch,
        Meta(
            description="The generation of the numbers, for `?resume=`. A new one starts again.",
            examples=["kq3x9ZtY0w"],
        ),
    ]
    seq: Annotated[
        Count, Meta(description="Where the stream stands: the next notification is `seq` + 1.", examples=[17])
    ]
    recovered: Annotated[
        bool,
        Meta(
            description="True: nothing was missed. False: replace everything that is known by `state`.",
            examples=[False],
        ),
    ]
    server_time: Annotated[Moment, Meta(description="The server's clock, for the `timestamp` of positions.")]
    state: Annotated[UserState, Meta(description="The complete state.")]
    limits: Annotated[Limits, Meta(description="The limits of this client.")]


class LocationRelayed(Message, frozen=True, kw_only=True):
    """The position of the other party of the current ride, until arrival; only the latest counts."""

    type: ClassVar[str] = "location_update"
    audience_text: ClassVar[str] = "the other party of the current ride"

    ride_id: RideId
    user_id: Annotated[
        UUID, Meta(description="Whose position it is.", examples=["01990000-0000-7000-8000-000000000001"])
    ]
    latitude: Latitude
    longitude: Longitude
    timestamp: Annotated[Moment, Meta(description="When they were there.")]


class TokenExpiring(Message, frozen=True, kw_only=True):
    """The token ends soon: send `token_refresh`, or the socket closes with 4401 then."""

    type: ClassVar[str] = "token_expiring"

    expires_at: Annotated[Moment, Meta(description="When the token ends, and the connection with it.")]


class ServerRestarting(Message, frozen=True, kw_only=True):
    """The socket will close with 1012; connect again after `reconnect_after`."""

    type: ClassVar[str] = "server_restarting"

    reconnect_after: Annotated[
        Seconds, Meta(description="Seconds to wait before connecting again; different for everybody.", examples=[2.7])
    ]


class Ack(Message, frozen=True, kw_only=True):
    """The command was carried out, now or when its `id` first came."""

    type: ClassVar[str] = "ack"


def _error(code: ErrorCode, message: str, reason: ErrorReason | None = None, **others: Any) -> dict[str, Any]:
    word = reason.value if reason else UNSET
    return {"code": code.value, "message": message, "reason": word, "field": UNSET, "retry_after": UNSET, **others}


class Error(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A frame was refused or could not be carried out; nothing was changed."""

    type: ClassVar[str] = "error"
    examples: ClassVar[Examples] = {
        "Not JSON": _error(
            ErrorCode.INVALID_FORMAT, "The frame is not valid JSON: Input data was truncated.", CommonReason.NOT_JSON
        ),
        "An unknown type": _error(
            ErrorCode.INVALID_FORMAT, "unknown message type: ride_begin", CommonReason.UNKNOWN_TYPE, field="type"
        ),
        "A value out of range": _error(
            ErrorCode.VALIDATION_FAILED,
            "latitude: expected `float` <= 90.0.",
            CommonReason.INVALID_FIELD,
            field="latitude",
        ),
        "A missing field": _error(
            ErrorCode.VALIDATION_FAILED, "match_id: is required.", CommonReason.MISSING_FIELD, field="match_id"
        ),
        "An id that does not exist, or belongs to somebody else": _error(
            ErrorCode.VALIDATION_FAILED, "There is no such ride of yours.", CommonReason.NOT_FOUND, field="ride_id"
        ),
        "A command of the other role": _error(ErrorCode.UNAUTHORIZED, SECURITY_MESSAGE),
        "Too many commands": _error(
            ErrorCode.RATE_LIMIT,
            "At most 10 commands a second, and 30 at once.",
            SocketReason.TOO_MANY_COMMANDS,
            retry_after=0.1,
        ),
        "A fault of the server": _error(ErrorCode.INTERNAL_ERROR, SERVER_MESSAGE),
    }

    code: Annotated[ErrorCode, Meta(description="The kind of mistake.")]
    message: Annotated[str, Meta(description="The reason, for people.")]
    reason: Annotated[str | None, REASON] = None
    field: Annotated[
        str | None, Meta(description="The field that is wrong, as a path such as `location.latitude`.")
    ] = None
    retry_after: Annotated[
        Seconds | None,
        Meta(description="With `RATE_LIMIT`: seconds after which the command may be sent again, with the same `id`."),
    ] = None


MESSAGES: tuple[type[Message], ...] = (
    SessionReady,
    LocationRelayed,
    TokenExpiring,
    ServerRestarting,
    Ack,
    Error,
)
"""Every message without a number."""
