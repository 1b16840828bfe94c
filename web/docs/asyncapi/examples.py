"""Examples of every frame, from one ride: Dewi drives Putri. The frames and the errors are made by the real code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from common.errors import SERVER_MESSAGE, DomainError, ErrorCode, RateLimited, ValidationFailed
from events.base import Event
from realtime.commands.dispatch import read_command, route_of
from realtime.contract import frames as protocol
from realtime.contract import messages
from rides import events, snapshots
from rides.examples import (
    BOOKED,
    CONNECTION,
    DEWI,
    DRIVER,
    MATCH,
    PICK_UP,
    PUTRI,
    RIDE,
    STARTED,
    TARGET,
    match_values,
    payment_values,
    ride_values,
)
from rides.services.matches import Reason
from rides.services.rides import NOT_YOURS

SEQ, COMMAND_ID, ACCESS = 18, "c-42", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…"

Example = tuple[str, dict[str, Any]]
"""What it shows, and the frame."""

COMMANDS: dict[str, list[tuple[str, protocol.Command]]] = {
    "location_update": [
        (
            "While driving",
            protocol.LocationUpdate(
                latitude=-6.1761, longitude=106.8265, timestamp=STARTED, accuracy=5, speed=8.3, heading=141
            ),
        ),
        ("The least", protocol.LocationUpdate(latitude=-6.1761, longitude=106.8265)),
    ],
    "beacon_update": [
        (
            "On, with a position",
            protocol.BeaconUpdate(is_active=True, latitude=DRIVER.latitude, longitude=DRIVER.longitude),
        ),
        ("Off", protocol.BeaconUpdate(is_active=False)),
    ],
    "finder_update": [
        ("Look for a driver", protocol.FinderUpdate(is_active=True, location=PICK_UP, target_location=TARGET)),
        ("Stop looking", protocol.FinderUpdate(is_active=False)),
    ],
    "match_confirm": [
        ("Accept", protocol.MatchConfirm(match_id=MATCH, accepted=True)),
        ("Decline", protocol.MatchConfirm(match_id=MATCH, accepted=False)),
    ],
    "ride_start": [("On board", protocol.RideStart(ride_id=RIDE))],
    "ride_arrived": [
        ("The full fare", protocol.RideArrived(ride_id=RIDE)),
        ("A tenth less", protocol.RideArrived(ride_id=RIDE, adjustment_factor=0.9)),
    ],
    "payment_process": [
        ("Pay", protocol.PaymentProcess(ride_id=RIDE, total_cost=11_475, status="ACCEPTED")),
        ("Refuse", protocol.PaymentProcess(ride_id=RIDE, total_cost=11_475, status="REJECTED")),
    ],
    "ride_cancel": [("Before the start", protocol.RideCancel(ride_id=RIDE, reason="The bike has a flat tyre."))],
    "received": [("All up to number 7", protocol.Received(seq=7))],
    "token_refresh": [("A fresh token", protocol.TokenRefresh(token=ACCESS))],
    "sync": [("Ask for the state", protocol.Sync())],
}


def _rejected(reason: Reason) -> events.MatchRejected:
    return events.MatchRejected(match_id=MATCH, driver_id=DEWI, passenger_id=PUTRI, reason=reason)


EVENTS: list[tuple[str, Event]] = [
    (
        "On, with a position",
        events.BeaconUpdated(user_id=DEWI, is_active=True, latitude=DRIVER.latitude, longitude=DRIVER.longitude),
    ),
    ("Off", events.BeaconUpdated(user_id=DEWI, is_active=False)),
    (
        "The search begins",
        events.FinderUpdated(user_id=PUTRI, is_active=True, location=PICK_UP, target_location=TARGET),
    ),
    ("Nobody was found", events.FinderUpdated(user_id=PUTRI, is_active=False, reason="no_driver")),
    ("The passenger stopped it", events.FinderUpdated(user_id=PUTRI, is_active=False)),
    ("A proposal", events.MatchFound(**match_values("PENDING"))),
    ("The driver has confirmed", events.MatchConfirmed(**match_values("DRIVER_CONFIRMED"))),
    ("The passenger has confirmed", events.MatchConfirmed(**match_values("PASSENGER_CONFIRMED"))),
    ("Both have confirmed", events.MatchAccepted(**match_values("ACCEPTED"))),
    ("One side declined", _rejected("declined")),
    ("Nobody answered in time", _rejected("expired")),
    ("One side has another ride", _rejected("taken")),
    ("Finder or beacon was switched off", _rejected("cancelled")),
    (
        "A ride is booked",
        events.RidePickup(
            ride_id=RIDE,
            match_id=MATCH,
            driver_id=DEWI,
            passenger_id=PUTRI,
            driver_location=DRIVER,
            timestamp=BOOKED,
        ),
    ),
    ("On board", events.RideStarted(**ride_values("ONGOING"))),
    ("There, a tenth off", events.RideArrived(**ride_values("ARRIVED"))),
    ("Asked for", events.PaymentProcessed(**payment_values("PENDING"))),
    ("Refused; may still be accepted", events.PaymentProcessed(**payment_values("REJECTED"))),
    ("Paid", events.PaymentProcessed(**payment_values("ACCEPTED"))),
    (
        "The end",
        events.RideCompleted(
            ride=events.RideSnapshot(**ride_values("COMPLETED")),
            payment=events.PaymentSnapshot(**payment_values("ACCEPTED")),
        ),
    ),
    (
        "By the driver",
        events.RideCancelled(
            ride_id=RIDE,
            driver_id=DEWI,
            passenger_id=PUTRI,
            cancelled_by="driver",
            reason="The bike has a flat tyre.",
        ),
    ),
]


def _ready(recovered: bool, **state: Any) -> messages.SessionReady:
    nothing: dict[str, Any] = {"beacon": None, "proposals": [], "ride": None, "payment": None, "last_ride": None}
    return messages.SessionReady(
        user_id=PUTRI,
        role="passenger",
        connection_id=CONNECTION,
        epoch="kq3x9ZtY0w",
        seq=SEQ - 1,
        recovered=recovered,
        server_time=BOOKED,
        state=snapshots.UserState(**{**nothing, **state}),
        limits=messages.Limits(max_message_size=512, command_rate=10, command_burst=30, location_rate=5),
    )


_ALWAYS = ["location_update", "token_refresh", "sync"]
_SEARCH = snapshots.FinderState(is_active=True, location=PICK_UP, target_location=TARGET)
_IDLE = snapshots.FinderState(is_active=False)

MESSAGES: list[tuple[str, messages.Message]] = [
    (
        "A passenger who is looking, with one proposal",
        _ready(
            False,
            finder=_SEARCH,
            proposals=[snapshots.OpenMatch(**match_values("PENDING"))],
            allowed_actions=[*_ALWAYS, "finder_update", "match_confirm"],
        ),
    ),
    (
        "Resumed during the pick-up: what was missed follows",
        _ready(
            True,
            finder=_IDLE,
            ride=events.RideSnapshot(**ride_values("PICKUP")),
            allowed_actions=[*_ALWAYS, "ride_cancel"],
        ),
    ),
    (
        "The driver, on his way",
        messages.LocationRelayed(
            ride_id=RIDE, user_id=DEWI, latitude=-6.1761, longitude=106.8265, timestamp=BOOKED + timedelta(seconds=20)
        ),
    ),
    ("A minute before", messages.TokenExpiring(expires_at=BOOKED + timedelta(minutes=1))),
    ("A restart", messages.ServerRestarting(reconnect_after=2.7)),
]


def command_examples(frame_type: str) -> list[Example]:
    """Return frames that a client may send, the first of them with an `id`."""
    frames: list[Example] = []
    for text, command in COMMANDS[frame_type]:
        given = {name for name, value in msgspec.structs.asdict(command).items() if _is_given(command, name, value)}
        data = {name: value for name, value in msgspec.to_builtins(command).items() if name in given}
        frames.append((text, {"type": frame_type, "data": data, **({} if frames else {"id": COMMAND_ID})}))
    return frames


def message_examples(frame_type: str) -> list[Example]:
    """Return frames that the server may send."""
    if frame_type == messages.Ack.type:
        return [("Carried out", _read(protocol.text_of(protocol.ack(COMMAND_ID))))]
    if frame_type == messages.Error.type:
        return [(text, frame) for _, text, frame in error_examples()]
    numbered = [
        (text, {"type": event.type, "data": event.to_data(), "seq": SEQ})
        for text, event in EVENTS
        if event.type == frame_type
    ]
    others = [
        (text, _read(protocol.text_of(protocol.unnumbered(said)))) for text, said in MESSAGES if said.type == frame_type
    ]
    return numbered or others


def error_examples() -> list[tuple[ErrorCode, str, dict[str, Any]]]:
    """Return an error of every kind: its code, what was wrong, and the frame, as the code makes them."""
    wrong = [
        ("Not JSON", _refused("{", "driver")),
        ("An unknown type", _refused('{"type":"ride_begin","data":{}}', "driver")),
        ("A value out of range", _refused('{"type":"location_update","data":{"latitude":91}}', "driver")),
        ("A field is missing", _refused('{"type":"match_confirm","data":{"accepted":true}}', "driver")),
        ("An id that does not exist, or is not yours", ValidationFailed(NOT_YOURS, field="ride_id")),
        ("A command of the other role", _refused('{"type":"ride_start","data":{}}', "passenger")),
        ("Too many", RateLimited("At most 10 commands a second, and 30 at once.", retry_after=0.1)),
        ("A fault of the server", DomainError(SERVER_MESSAGE)),
    ]
    return [
        (error.code, text, _read(protocol.text_of(protocol.error(error, None if text == "Not JSON" else COMMAND_ID))))
        for text, error in wrong
    ]


def _refused(text: str, role: str) -> DomainError:
    """Return the error with which a frame is refused."""
    try:
        frame = protocol.decode_frame(text)
        read_command(route_of(frame), role, frame)
    except protocol.BadFrame as exc:
        return exc.error
    except DomainError as exc:
        return exc
    raise AssertionError(f"{text} is a good frame")


def _is_given(command: protocol.Command, name: str, value: Any) -> bool:
    defaults = {field.name: field.default for field in msgspec.structs.fields(command)}
    return bool(value != defaults[name])


def _read(text: str) -> dict[str, Any]:
    frame: dict[str, Any] = msgspec.json.decode(text)
    return frame
