"""The events of rides and who is notified of each. One class per event; field names are those of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta
from msgspec.structs import asdict, replace

from common.examples import Examples
from events.base import Event, Moment
from rides.cells import cell_distance_km, cell_middle
from rides.fields import (
    CONFIRMED,
    DRIVER_PLACE,
    PICK_UP,
    STATUS,
    TARGET,
    Address,
    AutoAccept,
    Driver,
    DriverId,
    Factor,
    Kilometres,
    MatchId,
    Passenger,
    PassengerId,
    PaymentId,
    Pin,
    QuoteId,
    Reason,
    RideId,
    Rupiah,
    Vehicle,
)
from rides.geo import GeoPoint, Latitude, Longitude
from users.events import UserEvent


class BeaconUpdated(UserEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A driver's beacon was switched."""

    type: ClassVar[str] = "beacon_update"
    subject: ClassVar[str] = "user.beacon"
    audience_text: ClassVar[str] = "the driver"
    examples: ClassVar[Examples] = {
        "On, with a position": {},
        "Off": {"is_active": False, "latitude": UNSET, "longitude": UNSET},
    }

    is_active: Annotated[bool, Meta(description="Whether the driver takes passengers.")]
    latitude: Annotated[Latitude | None, Meta(description="The driver's position, where one was given.")] = None
    longitude: Annotated[Longitude | None, Meta(description="The driver's position, where one was given.")] = None


NO_WISH = dict.fromkeys(("location", "target_location", "vehicle_type", "auto_accept", "quote_id"), UNSET)


class FinderUpdated(UserEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A passenger's search began, moved or ended."""

    type: ClassVar[str] = "finder_update"
    subject: ClassVar[str] = "user.finder"
    audience_text: ClassVar[str] = "the passenger"
    examples: ClassVar[Examples] = {
        "The search begins": {"reason": UNSET},
        "No driver was found": {"is_active": False, **NO_WISH},
        "The passenger stopped it": {"is_active": False, **NO_WISH, "reason": UNSET},
    }

    is_active: Annotated[bool, Meta(description="Whether the passenger is looking for a driver.")]
    location: Annotated[GeoPoint | None, PICK_UP] = None
    target_location: Annotated[GeoPoint | None, TARGET] = None
    vehicle_type: Vehicle = None
    auto_accept: AutoAccept = False
    quote_id: QuoteId = None
    reason: Annotated[
        Literal["no_driver"] | None, Meta(description="Why the search ended by itself: no driver was found.")
    ] = None


class UserUnreachable(UserEvent, frozen=True, kw_only=True):
    """No device has confirmed an offer to this user in time, so that a push service can wake the phone.

    It is for other services, not for the user's sockets, and so has no frame type.
    """

    subject: ClassVar[str] = "user.unreachable"

    match_id: MatchId
    expires_at: Moment

    @property
    def valid_until(self) -> Moment:
        """Nobody needs to be woken for an offer that has lapsed."""
        return self.expires_at


class PairEvent(Event, frozen=True, kw_only=True):
    """An event that concerns the driver and the passenger of a match or a ride."""

    driver_id: DriverId
    passenger_id: PassengerId

    @property
    def audience(self) -> Sequence[UUID]:
        """The driver and the passenger, and nobody else."""
        return (self.driver_id, self.passenger_id)


class MatchSnapshot(PairEvent, frozen=True, kw_only=True):
    """A match as it stands."""

    match_id: MatchId
    location: Annotated[GeoPoint, PICK_UP]
    driver_location: Annotated[GeoPoint, DRIVER_PLACE]
    target_location: Annotated[GeoPoint, TARGET]
    match_status: Annotated[Literal["PENDING", "DRIVER_CONFIRMED", "PASSENGER_CONFIRMED", "ACCEPTED"], CONFIRMED]
    distance_km: Annotated[
        Kilometres,
        Meta(description="Kilometres from the driver to the pick-up; rounded up to 0.5 until both have confirmed."),
    ]
    eta_seconds: Annotated[
        int | None,
        Meta(
            description="Seconds that the driver takes to the pick-up, rounded up to a minute.",
            examples=[60],
            extra_json_schema={"minimum": 0},
        ),
    ] = None
    expires_at: Annotated[
        Moment, Meta(description="Until when the offer can be answered.", examples=["2026-01-31T12:00:33Z"])
    ]

    @property
    def key(self) -> str:
        """The match."""
        return str(self.match_id)

    def seen_by(self, user_id: UUID) -> Self:
        """Return the match as one side sees it: until both have confirmed, the other's places only roughly."""
        if self.match_status == "ACCEPTED":
            return self
        distance = cell_distance_km(self.driver_location, self.location)
        if user_id == self.passenger_id:
            return replace(self, driver_location=cell_middle(self.driver_location), distance_km=distance)
        location, target = cell_middle(self.location), cell_middle(self.target_location)
        return replace(self, location=location, target_location=target, distance_km=distance)

    @property
    def views(self) -> Mapping[UUID, Event]:
        """What each side sees."""
        if self.match_status == "ACCEPTED":
            return {}
        return {user_id: self.seen_by(user_id) for user_id in self.audience}


class MatchFound(MatchSnapshot, frozen=True, kw_only=True):
    """An offer that pairs a driver with a passenger."""

    type: ClassVar[str] = "match_proposal"
    subject: ClassVar[str] = "match.found"

    match_status: Annotated[Literal["PENDING"], CONFIRMED]

    @property
    def valid_until(self) -> Moment:
        """An offer that can no longer be answered is not delivered."""
        return self.expires_at


class MatchAnswered(MatchSnapshot, frozen=True, kw_only=True, omit_defaults=True):
    """One side has confirmed a match; with `ACCEPTED` both have, and learn who the other is."""

    type: ClassVar[str] = "match_confirm"
    examples: ClassVar[Examples] = {
        "The driver has confirmed": {"match_status": "DRIVER_CONFIRMED"},
        "The passenger has confirmed": {"match_status": "PASSENGER_CONFIRMED"},
        "Both have confirmed": {"match_status": "ACCEPTED"},
    }

    match_status: Annotated[Literal["DRIVER_CONFIRMED", "PASSENGER_CONFIRMED", "ACCEPTED"], CONFIRMED]
    driver: Driver = None
    passenger: Passenger = None


class MatchConfirmed(MatchAnswered, frozen=True, kw_only=True, omit_defaults=True):
    """One side has confirmed."""

    subject: ClassVar[str] = "match.confirmed"


class MatchAccepted(MatchAnswered, frozen=True, kw_only=True, omit_defaults=True):
    """Both sides have confirmed."""

    subject: ClassVar[str] = "match.accepted"


class MatchRejected(PairEvent, frozen=True, kw_only=True):
    """The match was rejected."""

    type: ClassVar[str] = "match_rejected"
    subject: ClassVar[str] = "match.rejected"

    match_id: MatchId
    reason: Annotated[
        Literal["declined", "expired", "taken", "cancelled"],
        Meta(
            description="Why: one side declined, nobody answered in time, one side has taken another ride, or one side "
            "has switched off."
        ),
    ]

    @property
    def key(self) -> str:
        """The match."""
        return str(self.match_id)


class RideEvent(PairEvent, frozen=True, kw_only=True):
    """An event of a ride."""

    ride_id: RideId

    @property
    def key(self) -> str:
        """The ride."""
        return str(self.ride_id)


class RidePickup(RideEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The ride was booked; the driver is on the way to the passenger."""

    type: ClassVar[str] = "ride_pickup"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.pickup"

    match_id: MatchId
    driver_location: Annotated[GeoPoint, DRIVER_PLACE, Meta(description="Where the driver is.")]
    timestamp: Annotated[Moment, Meta(description="When the ride was booked.")]
    driver: Driver = None
    passenger: Passenger = None
    pin: Pin = None

    @property
    def views(self) -> Mapping[UUID, Event]:
        """Only the passenger is shown the PIN."""
        return {self.passenger_id: RidePickupWithPin(**asdict(self))} if self.pin else {}

    def to_data(self) -> dict[str, Any]:
        """Return the event without the PIN."""
        data = super().to_data()
        data.pop("pin", None)
        return data


class RidePickupWithPin(RidePickup, frozen=True, kw_only=True, omit_defaults=True):
    """The same, as the passenger is told."""

    def to_data(self) -> dict[str, Any]:
        """Return the event with the PIN."""
        return Event.to_data(self)


class RideSnapshot(RideEvent, frozen=True, kw_only=True):
    """A ride as it stands; distances in kilometres, money in rupiah."""

    examples: ClassVar[Examples] = {"A ride that is paid": {"status": "COMPLETED"}}

    match_id: MatchId
    status: Annotated[Literal["PICKUP", "ONGOING", "ARRIVED", "COMPLETED", "CANCELLED"], STATUS]
    location: Annotated[GeoPoint, PICK_UP]
    target_location: Annotated[GeoPoint, TARGET]
    distance_km: Annotated[Kilometres, Meta(description="Kilometres that were driven and booked.")]
    total_cost: Annotated[Rupiah, Meta(description="The fare before the adjustment, in rupiah.")]
    adjustment_factor: Annotated[Factor, Meta(description="The factor by which the driver multiplies the fare.")]
    adjusted_cost: Annotated[
        Rupiah, Meta(description="The fare after the adjustment, in rupiah, rounded down.", examples=[11_475])
    ]
    created_at: Annotated[Moment, Meta(description="When the ride was booked.")]
    started_at: Annotated[
        Moment | None, Meta(description="When the passenger got on board.", examples=["2026-01-31T12:02:18Z"])
    ]
    arrived_at: Annotated[Moment | None, Meta(description="When the drive ended.", examples=["2026-01-31T12:10:18Z"])]
    completed_at: Annotated[
        Moment | None, Meta(description="When the ride was paid.", examples=["2026-01-31T12:10:48Z"])
    ]


class RideStarted(RideSnapshot, frozen=True, kw_only=True):
    """The passenger is on board."""

    type: ClassVar[str] = "ride_start"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.started"
    examples: ClassVar[Examples] = {
        "On board": {
            "distance_km": 0, "total_cost": 0, "adjustment_factor": 1, "adjusted_cost": 0, "arrived_at": None,
            "completed_at": None,
        },
    }  # fmt: skip

    status: Annotated[Literal["ONGOING"], STATUS]


class RideArrived(RideSnapshot, frozen=True, kw_only=True):
    """The drive is over and its fare is known."""

    type: ClassVar[str] = "ride_arrived"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.arrived"
    examples: ClassVar[Examples] = {"At the destination, with a tenth off": {"completed_at": None}}

    status: Annotated[Literal["ARRIVED"], STATUS]


class PaymentSnapshot(RideEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A payment as it stands; `total_cost` is what the passenger pays: the adjusted cost of the ride."""

    examples: ClassVar[Examples] = {"Paid": {"status": "ACCEPTED"}}

    payment_id: PaymentId
    status: Annotated[
        Literal["PENDING", "ACCEPTED", "REJECTED"],
        Meta(description="`PENDING` asks for the payment; a `REJECTED` one may still be `ACCEPTED`."),
    ]
    total_cost: Annotated[
        Rupiah,
        Meta(description="What the passenger pays, in rupiah: the adjusted cost of the ride.", examples=[11_475]),
    ]
    admin_fee: Annotated[Rupiah, Meta(description="The share of the service, in rupiah.", examples=[573])]
    driver_payout: Annotated[Rupiah, Meta(description="The share of the driver, in rupiah.", examples=[10_902])]
    qr_code_url: Annotated[
        Address,
        Meta(
            description="The address of the payment's QR code.",
            examples=["http://127.0.0.1:8000/api/payments/01990000-0000-7000-8000-000000000005/qr.svg"],
        ),
    ]
    method: Annotated[
        str | None,
        Meta(description="How it was paid: `cash`, or the name of the gateway; missing until then.", examples=["qr"]),
    ] = None


class PaymentProcessed(PaymentSnapshot, frozen=True, kw_only=True, omit_defaults=True):
    """A payment was requested, made or refused."""

    type: ClassVar[str] = "payment_process"
    subject: ClassVar[str] = "payment.processed"
    examples: ClassVar[Examples] = {
        "Requested": {"status": "PENDING", "method": UNSET},
        "Refused; may still be accepted": {"status": "REJECTED", "method": UNSET},
        "Paid": {"status": "ACCEPTED"},
    }


class RideCompleted(Event, frozen=True, kw_only=True):
    """The ride is paid."""

    type: ClassVar[str] = "ride_completed"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.completed"

    ride: Annotated[RideSnapshot, Meta(description="The ride as it stands.")]
    payment: Annotated[PaymentSnapshot, Meta(description="The payment as it stands.")]

    @property
    def key(self) -> str:
        """The ride."""
        return self.ride.key

    @property
    def audience(self) -> Sequence[UUID]:
        """The driver and the passenger, and nobody else."""
        return self.ride.audience


class RideCancelled(RideEvent, frozen=True, kw_only=True):
    """The ride was cancelled by `driver`, `passenger`, `staff` or, after a deadline, `system`."""

    type: ClassVar[str] = "ride_cancelled"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.cancelled"

    cancelled_by: Annotated[
        Literal["driver", "passenger", "staff", "system"], Meta(description="Who cancelled the ride.")
    ]
    reason: Annotated[Reason, Meta(description="The reason that was given; may be empty.")]


EVENTS: tuple[type[Event], ...] = (
    BeaconUpdated,
    FinderUpdated,
    MatchFound,
    MatchConfirmed,
    MatchAccepted,
    MatchRejected,
    RidePickup,
    RideStarted,
    RideArrived,
    PaymentProcessed,
    RideCompleted,
    RideCancelled,
)
"""Every notification of the domain, in the order of a ride."""

RESETS_POSITIONS = frozenset(event.type for event in EVENTS if event.resets_positions)
"""The frame types before which no position of an earlier phase of the ride may be shown any more."""
