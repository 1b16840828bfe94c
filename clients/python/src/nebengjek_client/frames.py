"""What goes over the wire, with types. Fields and types that are not named here are passed on all the same."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

logger = logging.getLogger(__name__)

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the server tells. `seq` counts the notifications of a user; frames that are none have no `seq`."""

    type: str
    data: Data
    seq: int | None = None


class Location(TypedDict):
    """A place, in degrees."""

    latitude: float
    longitude: float


class Limits(TypedDict):
    """What a client must keep to; a rate of 0 is no limit."""

    max_message_size: int
    command_rate: float
    command_burst: int
    location_rate: float


class Match(TypedDict):
    """A proposal; `expires_at` is RFC 3339."""

    match_id: str
    driver_id: str
    passenger_id: str
    location: Location
    driver_location: Location
    target_location: Location
    match_status: Literal["PENDING", "DRIVER_CONFIRMED", "PASSENGER_CONFIRMED", "ACCEPTED", "REJECTED"]
    distance_km: float
    expires_at: str


class Ride(TypedDict):
    """A ride; costs are whole rupiah, moments RFC 3339."""

    ride_id: str
    match_id: str
    driver_id: str
    passenger_id: str
    status: Literal["PICKUP", "ONGOING", "ARRIVED", "COMPLETED", "CANCELLED"]
    location: Location
    target_location: Location
    distance_km: float
    total_cost: int
    adjustment_factor: float
    adjusted_cost: int
    created_at: str
    started_at: str | None
    arrived_at: str | None
    completed_at: str | None


class Payment(TypedDict):
    """A payment; `total_cost` is what the passenger pays."""

    payment_id: str
    ride_id: str
    driver_id: str
    passenger_id: str
    status: Literal["PENDING", "ACCEPTED", "REJECTED"]
    total_cost: int
    admin_fee: int
    driver_payout: int
    qr_code_url: str


class State(TypedDict):
    """All that a client shows: `beacon` is of drivers, `finder` of passengers (else None)."""

    beacon: Data | None
    finder: Data | None
    proposals: list[Match]
    ride: Ride | None
    payment: Payment | None
    last_ride: Ride | None
    allowed_actions: list[str]


class Session(TypedDict):
    """The data of `session_ready`."""

    user_id: str
    role: Literal["driver", "passenger"]
    connection_id: str
    epoch: str
    seq: int
    recovered: bool
    server_time: str
    state: State
    limits: Limits


def encode(kind: str, data: Data, command_id: str | None = None) -> str:
    """Return a frame as text. Ids may be UUIDs and moments datetimes; a value that JSON has not raises at once."""
    frame: Data = {"type": kind, "data": data}
    if command_id is not None:
        frame["id"] = command_id
    return json.dumps(frame, default=_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode(text: str | bytes) -> Data | None:
    """Return what came over the socket; None, with a line in the log, for what is no frame."""
    try:
        frame = json.loads(text)
    except ValueError:
        frame = None
    if isinstance(frame, dict) and isinstance(frame.get("type"), str) and isinstance(frame.get("data"), dict):
        return frame
    logger.error("Not a frame: %.200r", text)
    return None


def given(**fields: Any) -> Data:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def _plain(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone.")
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be put into a frame.")
