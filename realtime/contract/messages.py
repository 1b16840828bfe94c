"""What the server says outside the numbered notifications: answers, the state, and what is over as soon as it is read.

The numbered ones are the events of `rides.events`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec

from common.errors import ErrorCode
from events.base import Moment
from rides.geo import Latitude, Longitude
from rides.snapshots import UserState

RoleName = Literal["passenger", "driver"]
Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Epoch = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of a frame without a number."""

    type: ClassVar[str] = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a client must keep to; a rate of 0 is no limit."""

    max_message_size: Count
    command_rate: Count
    command_burst: Count
    location_rate: Count


class SessionReady(Message, frozen=True, kw_only=True):
    """Who one is, where the stream of notifications stands, and the complete state."""

    type: ClassVar[str] = "session_ready"

    user_id: UUID
    role: RoleName
    connection_id: UUID
    epoch: Epoch
    seq: Count
    recovered: bool
    server_time: Moment
    state: UserState
    limits: Limits


class LocationRelayed(Message, frozen=True, kw_only=True):
    """Where the other party of the current ride is, until arrival; only the latest counts."""

    type: ClassVar[str] = "location_update"

    ride_id: UUID
    user_id: UUID
    latitude: Latitude
    longitude: Longitude
    timestamp: Moment


class TokenExpiring(Message, frozen=True, kw_only=True):
    """Send `token_refresh`, or be closed with 4401 then."""

    type: ClassVar[str] = "token_expiring"

    expires_at: Moment


class ServerRestarting(Message, frozen=True, kw_only=True):
    """The socket closes with 1012; come back after so many seconds."""

    type: ClassVar[str] = "server_restarting"

    reconnect_after: Seconds


class Ack(Message, frozen=True, kw_only=True):
    """The command was carried out, now or when its `id` came first."""

    type: ClassVar[str] = "ack"


class Error(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A frame was refused, or could not be carried out; nothing has happened."""

    type: ClassVar[str] = "error"

    code: ErrorCode
    message: str
    field: str | None = None
    retry_after: Seconds | None = None


MESSAGES: tuple[type[Message], ...] = (
    SessionReady,
    LocationRelayed,
    TokenExpiring,
    ServerRestarting,
    Ack,
    Error,
)
"""Every message without a number."""
