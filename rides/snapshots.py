"""From the rows of the database to the data of the contract."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from django.conf import settings
from msgspec import UNSET, Meta

from common import clock
from common.examples import Examples
from events.base import Moment
from rides.events import MatchSnapshot, PaymentSnapshot, RideSnapshot
from rides.fields import (
    CONFIRMED,
    PICK_UP,
    TARGET,
    AutoAccept,
    Driver,
    DriverCard,
    Kilometres,
    Passenger,
    PassengerCard,
    Pin,
    QuoteId,
    Rupiah,
    Vehicle,
)
from rides.geo import GeoPoint, Latitude, Longitude
from rides.models import DRIVER_BUSY, Finder, Match, Payment, Quote, Ride, RideStatus
from rides.positions import positions
from users.models import User

OLD_PLACE_DIGITS = 3
"""Decimals of a degree that a driver reads of the places of a ride that is over: about 100 m."""


class OpenMatch(MatchSnapshot, frozen=True, kw_only=True):
    """An offer that can still be answered."""

    match_status: Annotated[
        Literal["PENDING", "DRIVER_CONFIRMED", "PASSENGER_CONFIRMED"], CONFIRMED, Meta(examples=["PENDING"])
    ]


class BeaconState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a driver takes passengers."""

    is_active: Annotated[bool, Meta(description="Whether the driver takes passengers.")]


class FinderState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a passenger is looking for a driver, and where."""

    is_active: Annotated[bool, Meta(description="Whether the passenger is looking for a driver.")]
    location: Annotated[GeoPoint | None, PICK_UP] = None
    target_location: Annotated[GeoPoint | None, TARGET] = None
    vehicle_type: Vehicle = None
    auto_accept: AutoAccept = False
    quote_id: QuoteId = None


class RideCard(RideSnapshot, frozen=True, kw_only=True, omit_defaults=True):
    """A ride as its people see it, with who is on it; of one that is over a driver reads places to about 100 m."""

    driver: Driver = None
    passenger: Passenger = None
    pin: Pin = None


class RidesState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of the domain that a client shows its user."""

    beacon: Annotated[BeaconState | None, Meta(description="A driver's beacon; null for passengers.")]
    finder: Annotated[FinderState | None, Meta(description="A passenger's search; null for drivers.")]
    proposals: Annotated[list[OpenMatch], Meta(description="Offers that can still be answered.")]
    ride: Annotated[
        RideCard | None,
        Meta(description="The current ride: a passenger's until it is paid, a driver's until the arrival."),
    ]
    payment: Annotated[PaymentSnapshot | None, Meta(description="The payment that is due.")]
    last_ride: Annotated[RideCard | None, Meta(description="The newest ride except the current one.")]


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """A booked part of a ride's distance, and what it costs."""

    entry_id: Annotated[int, Meta(description="The entry of the ledger.")]
    distance_km: Annotated[Kilometres, Meta(description="Kilometres that were booked.", examples=[1])]
    cost: Annotated[Rupiah, Meta(description="What they cost, in rupiah.", examples=[3000])]
    created_at: Annotated[Moment, Meta(description="When they were booked.")]


class ReportedPoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A position that the driver reported during the ride; `reason` says why it does not count for the fare."""

    examples: ClassVar[Examples] = {"It counts": {"reason": UNSET}, "It does not": {"accepted": False}}

    latitude: Latitude
    longitude: Longitude
    timestamp: Annotated[Moment, Meta(description="When the driver was there.")]
    accepted: Annotated[bool, Meta(description="Whether the point counts for the fare.")]
    reason: Annotated[str | None, Meta(description="Why it does not count.", examples=["inaccurate"])] = None


class ReceiptLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a part of the ride costs; all lines add up to what is paid."""

    label: Annotated[str, Meta(description="What it is for.", examples=["4.250 km at 3000"])]
    amount: Annotated[int, Meta(description="Rupiah; less than nothing for a discount.", examples=[12_750])]


class NotCounted(msgspec.Struct, frozen=True, kw_only=True):
    """Positions that the driver's phone reported and that were not billed."""

    reason: Annotated[str, Meta(description="Why.", examples=["inaccurate"])]
    points: Annotated[int, Meta(description="How many.", examples=[3])]


class RideDetail(RideCard, frozen=True, kw_only=True):
    """A ride with what was booked, what each part costs, and what is to be paid."""

    ledger: Annotated[
        list[LedgerLine],
        Meta(description="What was booked, in order; at the arrival the last entry corrects the estimates."),
    ]
    lines: Annotated[
        list[ReceiptLine], Meta(description="What each part costs; they add up to `adjusted_cost`. Empty before.")
    ]
    by_quote: Annotated[bool, Meta(description="Whether the price is the one that was quoted before the ride.")]
    not_counted: Annotated[list[NotCounted], Meta(description="What was not billed, and why.")]
    payment: Annotated[PaymentSnapshot | None, Meta(description="What is to be paid; null before the arrival.")]
    track_url: Annotated[
        str,
        Meta(
            description="Where the positions are that the driver reported, in pages.",
            examples=["http://127.0.0.1:8000/api/rides/01990000-0000-7000-8000-000000000004/track/"],
        ),
    ]


class QuoteBody(msgspec.Struct, frozen=True, kw_only=True):
    """A price that is promised until `valid_until`; `finder_update` takes its `quote_id`."""

    quote_id: Annotated[UUID, Meta(description="The quote.", examples=["01990000-0000-7000-8000-000000000008"])]
    distance_km: Annotated[Kilometres, Meta(description="Kilometres of the way, as far as it can be told before.")]
    total_cost: Annotated[Rupiah, Meta(description="What the ride will cost, in rupiah.")]
    lines: Annotated[list[ReceiptLine], Meta(description="What each part costs; they add up to `total_cost`.")]
    tariff: Annotated[str, Meta(description="The name of the tariff.", examples=["default"])]
    valid_until: Annotated[Moment, Meta(description="Until when a search may begin with it.")]


def quote_body(quote: Quote) -> QuoteBody:
    """Return a quote as the contract writes it."""
    return QuoteBody(
        quote_id=quote.pk,
        distance_km=quote.distance_km,
        total_cost=quote.total_cost,
        lines=[ReceiptLine(**line) for line in quote.lines],
        tariff=quote.tariff.name if quote.tariff else "default",
        valid_until=quote.valid_until,
    )


def finder_fields(finder: Finder) -> dict[str, Any]:
    """Return the fields of an open search: of its event, and of the state."""
    return {
        "is_active": True,
        "location": finder.location,
        "target_location": finder.target_location,
        "vehicle_type": finder.vehicle_type or None,
        "auto_accept": finder.auto_accept,
        "quote_id": finder.quote_id,
    }


def match_fields(match: Match) -> dict[str, Any]:
    """Return the fields of an event about a match as it stands."""
    return {
        "match_id": match.pk,
        "driver_id": match.driver_id,
        "passenger_id": match.passenger_id,
        "location": match.location,
        "driver_location": match.driver_location,
        "target_location": match.target_location,
        "match_status": match.status,
        "distance_km": round(match.distance_km, 3),
        "eta_seconds": match.eta_s,
        "expires_at": match.expires_at,
    }


def people_of(ride: Ride) -> dict[str, Any]:
    """Return who drives and who rides, with which vehicle; nobody when the ride has been over for `CARD_RETENTION`."""
    over_since = ride.cancelled_at or ride.arrived_at
    if over_since is not None and clock.now() - over_since > settings.CARD_RETENTION:
        return {}
    vehicle: dict[str, Any] = {"vehicle_type": ride.vehicle_type, "vehicle_plate": ride.vehicle_plate}
    return {
        "driver": DriverCard(**_person(ride.driver, ride), **vehicle),
        "passenger": PassengerCard(**_person(ride.passenger, ride)),
    }


def _person(user: User, ride: Ride) -> dict[str, Any]:
    """Return what a card says of a person; nothing of a new owner of the number, who was not on the ride."""
    if user.owner_since is not None and ride.created_at < user.owner_since:
        return {"full_name": "", "rating": None}
    return {"full_name": user.shown_name, "rating": user.rating}


def ride_fields(ride: Ride) -> dict[str, Any]:
    """Return the fields of an event about a ride as it stands; its match is needed for the two places."""
    return {
        "ride_id": ride.pk,
        "match_id": ride.match_id,
        "driver_id": ride.driver_id,
        "passenger_id": ride.passenger_id,
        "status": ride.status,
        "location": ride.match.location,
        "target_location": ride.match.target_location,
        "distance_km": float(ride.distance_km),
        "total_cost": ride.total_cost,
        "adjustment_factor": ride.adjustment_factor,
        "adjusted_cost": ride.adjusted_cost,
        "created_at": ride.created_at,
        "started_at": ride.started_at,
        "arrived_at": ride.arrived_at,
        "completed_at": ride.completed_at,
    }


def pickup_fields(ride: Ride, match: Match) -> dict[str, Any]:
    """Return the fields of the event that a ride was booked."""
    place = positions().last(match.driver_id)
    return {
        "ride_id": ride.pk,
        "match_id": match.pk,
        "driver_id": match.driver_id,
        "passenger_id": match.passenger_id,
        "driver_location": place.point if place else match.driver_location,
        "timestamp": ride.created_at,
        "pin": ride.pin or None,
        **people_of(ride),
    }


def receipt_lines(ride: Ride) -> list[ReceiptLine]:
    """Return what each part of a ride costs, down to what is paid."""
    if ride.receipt is None:
        return []
    lines = [ReceiptLine(**line) for line in ride.receipt["lines"]]
    discount = ride.adjusted_cost - ride.total_cost
    if ride.arrived_at is not None and discount:
        lines.append(ReceiptLine(label=f"Times {ride.adjustment_factor:g}, by the driver", amount=discount))
    return lines


def payment_fields(payment: Payment, ride: Ride) -> dict[str, Any]:
    """Return the fields of an event about a payment as it stands."""
    return {
        "payment_id": payment.pk,
        "ride_id": ride.pk,
        "driver_id": ride.driver_id,
        "passenger_id": ride.passenger_id,
        "status": payment.status,
        "total_cost": payment.total_cost,
        "admin_fee": payment.admin_fee,
        "driver_payout": payment.driver_payout,
        "qr_code_url": payment.qr_code_url,
        "method": payment.method or None,
    }


def open_match(match: Match, user_id: UUID) -> OpenMatch:
    """Return an offer that can still be answered, as one side sees it."""
    return OpenMatch(**match_fields(match)).seen_by(user_id)


def ride_snapshot(ride: Ride) -> RideSnapshot:
    """Return a ride as it stands."""
    return RideSnapshot(**ride_fields(ride))


def card_fields(ride: Ride, user_id: UUID) -> dict[str, Any]:
    """Return the fields of a ride as one of its people sees it; a driver who is done sees its places roughly."""
    fields = ride_fields(ride) | people_of(ride)
    if user_id == ride.driver_id and ride.status not in DRIVER_BUSY:
        fields |= {name: _roughly(fields[name]) for name in ("location", "target_location")}
    return fields


def _roughly(place: GeoPoint) -> GeoPoint:
    return GeoPoint(*(round(degrees, OLD_PLACE_DIGITS) for degrees in (place.latitude, place.longitude)))


def ride_card(ride: Ride, user_id: UUID) -> RideCard:
    """Return a ride as one of its people sees it: the PIN is the passenger's, until the ride starts."""
    shows_pin = user_id == ride.passenger_id and ride.status == RideStatus.PICKUP
    pin = ride.pin if shows_pin else ""
    return RideCard(**card_fields(ride, user_id), pin=pin or None)


def payment_snapshot(payment: Payment, ride: Ride) -> PaymentSnapshot:
    """Return a payment as it stands."""
    return PaymentSnapshot(**payment_fields(payment, ride))
