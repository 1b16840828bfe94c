"""The wire contract of `/ws/`: every frame that a client may send, and the frames that the server answers with.

What the domain tells clients (`match_proposal`, `ride_start`, …) are the events of `rides.events`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
from msgspec import UNSET, Meta

from common.errors import CommonReason, DomainError, ErrorCode, InvalidFormat, RateLimited, ValidationFailed
from common.examples import Examples
from realtime.contract.messages import Ack, Error, Message
from rides.events import NO_WISH
from rides.fields import PICK_UP, TARGET, AutoAccept, MatchId, QuoteId, RideId, Vehicle
from rides.geo import GeoPoint, Latitude, Longitude

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps any character but this one."""

REASON_BYTES = 300
"""What is left for a text, whatever its script, of the smallest frame that the contract promises."""

CommandId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=NO_NUL,
        description="The client's name for the command, new for each command of the last ten minutes.",
        examples=["c-42"],
    ),
]


AskedAmount = Annotated[
    int, Meta(ge=0, le=2**63 - 1, description="Exactly the amount that was asked, in rupiah.", examples=[11_475])
]


class CloseCode(IntEnum):
    """Why the server closes a socket."""

    meaning: str
    """What happened and what the client should do."""
    example: str

    def __new__(cls, code: int, meaning: str = "", example: str = "") -> Self:
        """Make a member that is its code and has a meaning and an example."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning, member.example = meaning, example
        return member

    @property
    def reconnect(self) -> bool:
        """Whether a client connects again by itself; after the others two devices would evict each other for ever."""
        return self not in (CloseCode.UNAUTHORIZED, CloseCode.REPLACED)

    TOO_BIG = (
        1009,
        "A frame was larger than `WS_MAX_MESSAGE_SIZE`.",
        "A `ride_cancel` with a reason of 1,000 characters.",
    )
    SERVER_ERROR = 1011, "The server could not read the state. Connect again later.", "The database is unreachable."
    RESTARTING = (
        1012,
        "The server restarts. Connect again after the `reconnect_after` of `server_restarting`.",
        "A new version is installed.",
    )
    TOO_SLOW = (
        1013,
        "The client read nothing for `WS_WRITE_TIMEOUT`. Connect again with `?resume=` when the network is better.",
        "A phone in a tunnel reads nothing while more and more is sent.",
    )
    UNAUTHORIZED = (
        4401,
        "The token has expired or was revoked. Log in again; do not just reconnect.",
        "The user logs out on another device.",
    )
    NOTHING_HEARD = (
        4408,
        "Nothing was received for `WS_READ_TIMEOUT`, not even the answer to a ping. Connect again.",
        "A phone has lost its network without closing the connection.",
    )
    REPLACED = (
        4409,
        "A newer connection of the same user took over. Do not reconnect automatically.",
        "The same person opens the app on a second phone.",
    )
    FLOODING = (
        4429,
        "The client kept sending after many `RATE_LIMIT` errors, or mostly empty frames. Connect again, and send less.",
        "A loop sends `sync` a thousand times a second.",
    )


# --- What a client may send -------------------------------------------------------------------------------------------


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of a frame from a client. Unknown fields are ignored."""

    examples: ClassVar[Examples] = {}
    """Examples for the documents; without any, one is made of the fields."""


class LocationUpdate(Command, frozen=True, kw_only=True):
    """The position of the phone."""

    examples: ClassVar[Examples] = {
        "While driving": {},
        "The minimum": dict.fromkeys(("timestamp", "accuracy", "speed", "heading"), UNSET),
    }

    latitude: Latitude
    longitude: Longitude
    timestamp: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(
            description="When the phone was there, by the server's clock; without it, now.",
            examples=["2026-01-31T12:02:18Z"],
        ),
    ] = None
    accuracy: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="Metres by which the position may be wrong.", examples=[5]),
    ] = None
    speed: Annotated[
        Annotated[float, Meta(ge=-1)] | None,
        Meta(description="Metres per second; -1 where the phone does not know it.", examples=[8.3]),
    ] = None
    heading: Annotated[
        Annotated[float, Meta(ge=-180, le=361)] | None,
        Meta(description="Degrees clockwise from the north; below 0 where the phone does not know it.", examples=[141]),
    ] = None

    def __post_init__(self) -> None:
        try:
            if self.timestamp is not None:
                self.timestamp.astimezone(UTC)
        except OverflowError:
            raise ValueError("timestamp: must lie between the years 1 and 9999 in UTC") from None

    @property
    def known_speed(self) -> float | None:
        """The speed in m/s; None where the phone does not know it (iOS says -1)."""
        return self.speed if self.speed is not None and self.speed >= 0 else None

    @property
    def known_heading(self) -> float | None:
        """The heading in degrees from 0 to 360; None where the phone does not know it (-1, or out of range)."""
        return self.heading if self.heading is not None and 0 <= self.heading <= 360 else None


class BeaconUpdate(Command, frozen=True, kw_only=True):
    """Switch the driver's beacon: whether they take passengers."""

    examples: ClassVar[Examples] = {
        "On, with a position": {},
        "Off": {"is_active": False, "latitude": UNSET, "longitude": UNSET},
    }

    is_active: Annotated[bool, Meta(description="Whether the driver takes passengers.")]
    latitude: Annotated[
        Latitude | None,
        Meta(description="The driver's position; without it they join with their first `location_update`."),
    ] = None
    longitude: Annotated[Longitude | None, Meta(description="The driver's position; goes with `latitude`.")] = None


class FinderUpdate(Command, frozen=True, kw_only=True):
    """Start, move (sent again while it is on) or stop the passenger's search; starting needs both places."""

    examples: ClassVar[Examples] = {
        "Search for a driver": dict.fromkeys(("vehicle_type", "auto_accept", "quote_id"), UNSET),
        "Search for a motorcycle, at a quoted price, and take the first driver who accepts": {},
        "Stop searching": {"is_active": False, **NO_WISH},
    }

    is_active: Annotated[bool, Meta(description="Whether to search for a driver.")]
    location: Annotated[GeoPoint | None, PICK_UP, Meta(description="The pick-up; needed to start.")] = None
    target_location: Annotated[GeoPoint | None, TARGET, Meta(description="The destination; needed to start.")] = None
    vehicle_type: Vehicle = None
    auto_accept: AutoAccept = False
    quote_id: QuoteId = None


class MatchConfirm(Command, frozen=True, kw_only=True):
    """Accept or decline an offer."""

    examples: ClassVar[Examples] = {"Accept": {}, "Decline": {"accepted": False}}

    match_id: MatchId
    accepted: Annotated[bool, Meta(description="False declines the match for good.")]


class RideStart(Command, frozen=True, kw_only=True):
    """Start the ride: the passenger is on board."""

    examples: ClassVar[Examples] = {
        "On board": {"latitude": UNSET, "longitude": UNSET, "pin": UNSET},
        "On board, where rides have a PIN": {"latitude": UNSET, "longitude": UNSET},
    }

    ride_id: RideId
    latitude: Annotated[Latitude | None, Meta(description="Ignored: the server compares the positions it knows.")] = (
        None
    )
    longitude: Annotated[Longitude | None, Meta(description="Ignored: the server compares the positions it knows.")] = (
        None
    )
    pin: Annotated[
        Annotated[str, Meta(pattern="^[0-9]{4}$")] | None,
        Meta(description="The passenger's four digits; needed with `RIDE_PIN`.", examples=["4711"]),
    ] = None


class RideArrived(Command, frozen=True, kw_only=True):
    """End the drive at the destination; the driver may lower the fare by a factor."""

    examples: ClassVar[Examples] = {"The full fare": {"adjustment_factor": UNSET}, "A tenth less": {}}

    ride_id: RideId
    adjustment_factor: Annotated[
        float, Meta(ge=0, le=1, description="The factor by which the fare is multiplied.", examples=[0.9])
    ] = 1.0


class PaymentProcess(Command, frozen=True, kw_only=True):
    """Pay exactly what was asked, or refuse to."""

    examples: ClassVar[Examples] = {"Pay": {"status": "ACCEPTED"}, "Refuse": {"status": "REJECTED"}}

    ride_id: RideId
    total_cost: AskedAmount
    status: Annotated[
        Literal["ACCEPTED", "REJECTED"],
        Meta(description="Whether the passenger pays.", extra={"client_default": "ACCEPTED"}),
    ]


class PaymentReceived(Command, frozen=True, kw_only=True):
    """Confirm that the passenger has paid in cash, exactly what was asked."""

    ride_id: RideId
    total_cost: AskedAmount


class RideCancel(Command, frozen=True, kw_only=True):
    """Cancel a ride before it starts."""

    ride_id: RideId
    reason: Annotated[
        str,
        Meta(
            max_length=200,
            pattern=NO_NUL,
            description=f"For the other side. Up to {REASON_BYTES} bytes in UTF-8 fit into a frame of 512 bytes, which "
            "are 200 Latin letters, 100 of Thai or 75 emoji; `limits.max_message_size` says what this server takes.",
            examples=["The bike has a flat tyre."],
        ),
    ] = ""


class RideRate(Command, frozen=True, kw_only=True):
    """Give the other side of a completed ride stars, once, within seven days; the other side is not notified."""

    ride_id: RideId
    rating: Annotated[int, Meta(ge=1, le=5, description="Stars, from 1 (bad) to 5 (good).", examples=[5])]


class Received(Command, frozen=True, kw_only=True):
    """Confirm what has reached the device, up to a number: offers at once, the rest within a second."""

    seq: Annotated[
        Annotated[int, Meta(ge=0, le=2**63 - 1)], Meta(description="The highest `seq` so far.", examples=[7])
    ]


class TokenRefresh(Command, frozen=True, kw_only=True):
    """Continue with a fresh access token of the same user."""

    token: Annotated[
        str,
        Meta(
            description="A fresh access token of the same user.",
            examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…"],
        ),
    ]


class Sync(Command, frozen=True, kw_only=True):
    """Ask for `session_ready`."""


# --- The envelope -----------------------------------------------------------------------------------------------------


class Frame(msgspec.Struct, frozen=True):
    """A frame from a client whose envelope is in order."""

    type: str
    data: msgspec.Raw
    id: CommandId | msgspec.UnsetType = msgspec.UNSET

    @property
    def command_id(self) -> str | None:
        """The client's name for the command, where it has one."""
        return None if self.id is msgspec.UNSET else self.id


_frame_decoder = msgspec.json.Decoder(Frame)
_any_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
encode = _encoder.encode
"""Any JSON-ready value to bytes."""


class BadFrame(Exception):
    """A frame that is not of the contract; `id` is the client's, where it can be read."""

    def __init__(self, error: InvalidFormat, command_id: str | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.command_id = command_id


UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeError)
"""What says that bytes are no JSON at all."""


def decode_frame(text: str | bytes) -> Frame:
    """Read the envelope of a frame; raise `BadFrame` for whatever is wrong with it."""
    try:
        frame = _frame_decoder.decode(text)
    except msgspec.ValidationError as exc:
        raise _bad_envelope(text, str(exc)) from exc
    except UNREADABLE as exc:
        raise BadFrame(InvalidFormat(f"The frame is not valid JSON: {exc}.", reason=CommonReason.NOT_JSON)) from exc
    if bytes(memoryview(frame.data)[:1]) != b"{":
        raise BadFrame(
            InvalidFormat("data: must be an object.", reason=CommonReason.INVALID_FIELD, field="data"), frame.command_id
        )
    return frame


def _bad_envelope(text: str | bytes, reason: str) -> BadFrame:
    """Say what is wrong with JSON that is not the envelope, and keep the client's `id` where it has a good one."""
    try:
        value = _any_decoder.decode(text)
    except UNREADABLE as exc:
        return BadFrame(InvalidFormat(f"The frame is not valid JSON: {exc}.", reason=CommonReason.NOT_JSON))
    if not isinstance(value, dict):
        return BadFrame(
            InvalidFormat("The frame must be a JSON object with type and data.", reason=CommonReason.NOT_AN_OBJECT)
        )
    error = readable(reason)
    return BadFrame(InvalidFormat(error.message, reason=error.reason, field=error.field), _good_id(value.get("id")))


def _good_id(value: object) -> str | None:
    try:
        return msgspec.convert(value, CommandId)
    except msgspec.ValidationError:
        return None


_LEAP_SECOND = re.compile(r"(?<=T\d\d:\d\d:)60")


def plain_values(data: bytes | msgspec.Raw) -> Any:
    """Return JSON with its values as a strict decoder takes them.

    JSON has one kind of number, so `90.0` is the integer 90 (Dart and Lua write it so). RFC 3339 allows the second 60,
    which `datetime` does not know: it becomes 59.
    """
    return _plain(_any_decoder.decode(data))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _LEAP_SECOND.sub("59", value) if isinstance(value, str) and len(value) < 40 else value


_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`")
_NAMED = re.compile(r"(?P<name>\w+): (?P<text>.*)")
_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")


def readable(reason: str) -> ValidationFailed:
    """Turn msgspec's reason into an error that names the field and what it may be."""
    path = _PATH.search(reason)
    field = path["path"] if path else ""
    text, word = _PATH.sub("", reason), CommonReason.INVALID_FIELD
    if missing := _MISSING.match(text):
        field = f"{field}.{missing['name']}" if field else missing["name"]
        text, word = "is required", CommonReason.MISSING_FIELD
    elif named := _NAMED.match(text):
        field, text = named["name"], named["text"]
    text = f"{text[:1].lower()}{text[1:]}."
    return ValidationFailed(f"{field}: {text}" if field else text, reason=word, field=field or None)


# --- What the server answers ------------------------------------------------------------------------------------------


def ack(command_id: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the answer to a command that was carried out."""
    return reply({"type": Ack.type, "data": data or {}}, command_id)


def error(exc: DomainError, command_id: str | None = None) -> dict[str, Any]:
    """Return the answer to a command that was not."""
    return reply({"type": Error.type, "data": error_data(exc)}, command_id)


def error_data(exc: DomainError) -> dict[str, Any]:
    """Return the `data` of an `error` frame."""
    retry_after = round(exc.retry_after, 3) if isinstance(exc, RateLimited) else None
    error = Error(
        code=ErrorCode(exc.code),
        message=exc.client_message,
        reason=exc.reason,
        field=exc.field,
        retry_after=retry_after,
    )
    data: dict[str, Any] = msgspec.to_builtins(error)
    return data


def reply(answer: dict[str, Any], command_id: str | None) -> dict[str, Any]:
    """Return an answer, fresh or stored (`{"type", "data"}`), as the frame for a client's `id`."""
    return answer if command_id is None else {**answer, "id": command_id}


def unnumbered(message: Message) -> dict[str, Any]:
    """Return the frame of a message that stands outside the numbered notifications."""
    return {"type": message.type, "data": message}


def text_of(frame: dict[str, Any]) -> str:
    """Return a frame encoded."""
    return encode(frame).decode()


def notification_head(frame_type: str, data: bytes) -> str:
    """Return an event's frame up to its number: what all recipients of the same encoded data share."""
    return f'{{"type":{encode(frame_type).decode()},"data":{data.decode()}'


def numbered(head: str, seq: int) -> str:
    """Return the frame that begins with `head`, of the number `seq`."""
    return f'{head},"seq":{seq}}}'


def type_of(notification: str) -> str:
    """Return the type of a frame that begins with `notification_head`."""
    return notification[_TYPE_AT : notification.find('"', _TYPE_AT)]


_TYPE_AT = len('{"type":"')
