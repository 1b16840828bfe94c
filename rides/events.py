"""The events of rides and who is notified of each. One class per event; field names are those of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec

from events.base import Event, Moment
from rides.geo import GeoPoint, Latitude, Longitude
from users.events import UserEvent

# The ranges are documented but not enforced: messages of other services are checked by type only.
Rupiah = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})]
Kilometres = Annotated[float, msgspec.Meta(extra_json_schema={"minimum": 0})]
Factor = Annotated[float, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": 1})]
Address = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uri", "maxLength": 500})]
Reason = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 200})]


class BeaconUpdated(UserEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A driver's beacon was switched."""

    type: ClassVar[str] = "beacon_update"
    subject: ClassVar[str] = "user.beacon"

    is_active: bool
    latitude: Latitude | None = None
    longitude: Longitude | None = None


VehicleName = Literal["motorcycle", "car", "van"]


class FinderUpdated(UserEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A passenger's search began or ended."""

    type: ClassVar[str] = "finder_update"
    subject: ClassVar[str] = "user.finder"

    is_active: bool
    location: GeoPoint | None = None
    target_location: GeoPoint | None = None
    vehicle_type: VehicleName | None = None
    auto_accept: bool = False
    quote_id: UUID | None = None
    reason: Literal["no_driver"] | None = None


class UserUnreachable(UserEvent, frozen=True, kw_only=True):
    """No device has confirmed an offer to this user in time, so that a push service can wake the phone.

    It is for other services, not for the user's sockets, and so has no frame type.
    """

    subject: ClassVar[str] = "user.unreachable"

    match_id: UUID
    expires_at: Moment

    @property
    def valid_until(self) -> Moment:
        """Nobody needs to be woken for an offer that has lapsed."""
        return self.expires_at


class PairEvent(Event, frozen=True, kw_only=True):
    """An event that concerns the driver and the passenger of a match or a ride."""

    driver_id: UUID
    passenger_id: UUID

    @property
    def audience(self) -> Sequence[UUID]:
        """The driver and the passenger, and nobody else."""
        return (self.driver_id, self.passenger_id)


class MatchSnapshot(PairEvent, frozen=True, kw_only=True):
    """A match as it stands."""

    match_id: UUID
    location: GeoPoint
    driver_location: GeoPoint
    target_location: GeoPoint
    match_status: Literal["PENDING", "DRIVER_CONFIRMED", "PASSENGER_CONFIRMED", "ACCEPTED"]
    distance_km: Kilometres
    expires_at: Moment

    @property
    def key(self) -> str:
        """The match."""
        return str(self.match_id)


class MatchFound(MatchSnapshot, frozen=True, kw_only=True):
    """An offer that pairs a driver with a passenger."""

    type: ClassVar[str] = "match_proposal"
    subject: ClassVar[str] = "match.found"

    match_status: Literal["PENDING"]

    @property
    def valid_until(self) -> Moment:
        """An offer that can no longer be answered is not delivered."""
        return self.expires_at


class MatchAnswered(MatchSnapshot, frozen=True, kw_only=True):
    """One side has confirmed a match; with `ACCEPTED` both have."""

    type: ClassVar[str] = "match_confirm"

    match_status: Literal["DRIVER_CONFIRMED", "PASSENGER_CONFIRMED", "ACCEPTED"]


class MatchConfirmed(MatchAnswered, frozen=True, kw_only=True):
    """One side has confirmed."""

    subject: ClassVar[str] = "match.confirmed"


class MatchAccepted(MatchAnswered, frozen=True, kw_only=True):
    """Both sides have confirmed."""

    subject: ClassVar[str] = "match.accepted"


class MatchRejected(PairEvent, frozen=True, kw_only=True):
    """The match was rejected."""

    type: ClassVar[str] = "match_rejected"
    subject: ClassVar[str] = "match.rejected"

    match_id: UUID
    reason: Literal["declined", "expired", "taken", "cancelled"]

    @property
    def key(self) -> str:
        """The match."""
        return str(self.match_id)


class RideEvent(PairEvent, frozen=True, kw_only=True):
    """An event of a ride."""

    ride_id: UUID

    @property
    def key(self) -> str:
        """The ride."""
        return str(self.ride_id)


class RidePickup(RideEvent, frozen=True, kw_only=True):
    """The ride was booked; the driver is on the way to the passenger."""

    type: ClassVar[str] = "ride_pickup"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.pickup"

    match_id: UUID
    driver_location: GeoPoint
    timestamp: Moment


class RideSnapshot(RideEvent, frozen=True, kw_only=True):
    """A ride as it stands; distances in kilometres, money in rupiah."""

    match_id: UUID
    status: Literal["PICKUP", "ONGOING", "ARRIVED", "COMPLETED", "CANCELLED"]
    location: GeoPoint
    target_location: GeoPoint
    distance_km: Kilometres
    total_cost: Rupiah
    adjustment_factor: Factor
    adjusted_cost: Rupiah
    created_at: Moment
    started_at: Moment | None
    arrived_at: Moment | None
    completed_at: Moment | None


class RideStarted(RideSnapshot, frozen=True, kw_only=True):
    """The passenger is on board."""

    type: ClassVar[str] = "ride_start"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.started"

    status: Literal["ONGOING"]


class RideArrived(RideSnapshot, frozen=True, kw_only=True):
    """The ride is over and its fare is known."""

    type: ClassVar[str] = "ride_arrived"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.arrived"

    status: Literal["ARRIVED"]


class PaymentSnapshot(RideEvent, frozen=True, kw_only=True):
    """A payment as it stands; `total_cost` is what the passenger pays: the adjusted cost of the ride."""

    payment_id: UUID
    status: Literal["PENDING", "ACCEPTED", "REJECTED"]
    total_cost: Rupiah
    admin_fee: Rupiah
    driver_payout: Rupiah
    qr_code_url: Address


class PaymentProcessed(PaymentSnapshot, frozen=True, kw_only=True):
    """A payment was requested, made or refused."""

    type: ClassVar[str] = "payment_process"
    subject: ClassVar[str] = "payment.processed"


class RideCompleted(Event, frozen=True, kw_only=True):
    """The ride is paid."""

    type: ClassVar[str] = "ride_completed"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.completed"

    ride: RideSnapshot
    payment: PaymentSnapshot

    @property
    def key(self) -> str:
        """The ride."""
        return self.ride.key

    @property
    def audience(self) -> Sequence[UUID]:
        """The driver and the passenger, and nobody else."""
        return self.ride.audience


class RideCancelled(RideEvent, frozen=True, kw_only=True):
    """The ride was cancelled by `driver`, `passenger` or `staff`."""

    type: ClassVar[str] = "ride_cancelled"
    resets_positions: ClassVar[bool] = True
    subject: ClassVar[str] = "ride.cancelled"

    cancelled_by: Literal["driver", "passenger", "staff"]
    reason: Reason


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
