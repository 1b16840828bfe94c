"""Types of what the server sends; fields that are not named here are passed on.

Made from the server's code by `make docs`: do not edit.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Match(TypedDict):
    """A match as it stands."""

    driver_id: str
    passenger_id: str
    match_id: str
    location: Location
    driver_location: Location
    target_location: Location
    match_status: Literal["ACCEPTED", "DRIVER_CONFIRMED", "PASSENGER_CONFIRMED", "PENDING"]
    distance_km: float
    eta_seconds: NotRequired[int]
    expires_at: str


class Location(TypedDict):
    """A place, in degrees (WGS 84)."""

    latitude: float
    longitude: float


class Session(TypedDict):
    """Who the user is, where the stream of notifications stands, and the complete state."""

    user_id: str
    role: Literal["driver", "passenger"]
    connection_id: str
    epoch: str
    seq: int
    recovered: bool
    server_time: str
    state: State
    limits: Limits


class State(TypedDict):
    """Everything that a client shows its user."""

    beacon: Beacon | None
    finder: Finder | None
    proposals: list[Match]
    ride: Ride | None
    payment: Payment | None
    last_ride: Ride | None
    allowed_actions: list[str]


class Beacon(TypedDict):
    """Whether a driver takes passengers."""

    is_active: bool


class Finder(TypedDict):
    """Whether a passenger is looking for a driver, and where."""

    is_active: bool
    location: NotRequired[Location]
    target_location: NotRequired[Location]
    vehicle_type: NotRequired[Literal["car", "motorcycle", "van"]]
    auto_accept: NotRequired[bool]
    quote_id: NotRequired[str]


class Ride(TypedDict):
    """A ride as its people see it, with who is on it; of one that is over a driver reads places to about 100 m."""

    driver_id: str
    passenger_id: str
    ride_id: str
    match_id: str
    status: Literal["ARRIVED", "CANCELLED", "COMPLETED", "ONGOING", "PICKUP"]
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
    driver: NotRequired[DriverCard]
    passenger: NotRequired[PassengerCard]
    pin: NotRequired[str]


class DriverCard(TypedDict):
    """The driver who comes, as the passenger recognises them."""

    full_name: str
    vehicle_type: str
    vehicle_plate: str
    rating: NotRequired[float]


class PassengerCard(TypedDict):
    """The passenger who waits, as the driver calls them."""

    full_name: str
    rating: NotRequired[float]


class Payment(TypedDict):
    """A payment as it stands; `total_cost` is what the passenger pays: the adjusted cost of the ride."""

    driver_id: str
    passenger_id: str
    ride_id: str
    payment_id: str
    status: Literal["ACCEPTED", "PENDING", "REJECTED"]
    total_cost: int
    admin_fee: int
    driver_payout: int
    qr_code_url: str
    method: NotRequired[str]


class Limits(TypedDict):
    """The limits of a client; a rate of 0 is no limit."""

    max_message_size: int
    command_rate: int
    command_burst: int
    location_rate: int
    location_max_age: float
