"""The fields that commands, events and REST share: what each means, its range and an example.

A range given as `extra_json_schema` is documented but not enforced: messages of other services are checked by type.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

MatchId = Annotated[
    UUID,
    Meta(
        description="The match: an offer that pairs a driver with a passenger.",
        examples=["01990000-0000-7000-8000-000000000003"],
    ),
]
RideId = Annotated[UUID, Meta(description="The ride.", examples=["01990000-0000-7000-8000-000000000004"])]
PaymentId = Annotated[UUID, Meta(description="The payment.", examples=["01990000-0000-7000-8000-000000000005"])]
DriverId = Annotated[UUID, Meta(description="The driver.", examples=["01990000-0000-7000-8000-000000000001"])]
PassengerId = Annotated[UUID, Meta(description="The passenger.", examples=["01990000-0000-7000-8000-000000000002"])]

PICK_UP = Meta(description="The pick-up.", examples=[{"latitude": -6.1754, "longitude": 106.8272}])
TARGET = Meta(description="Where the passenger wants to go.", examples=[{"latitude": -6.2, "longitude": 106.83}])
DRIVER_PLACE = Meta(
    description="Where the driver was when the offer was made.",
    examples=[{"latitude": -6.1768, "longitude": 106.8261}],
)
CONFIRMED = Meta(description="Who has confirmed the match.")
STATUS = Meta(description="The state of the ride.")

Vehicle = Annotated[
    Literal["motorcycle", "car", "van"] | None,
    Meta(description="The kind of vehicle that is asked for; any, where it is missing.", examples=["motorcycle"]),
]


Rating = Annotated[
    float | None,
    Meta(description="The mean of the stars others gave, once there are five of them.", examples=[4.8]),
]


class DriverCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The driver who comes, as the passenger recognises them."""

    full_name: Annotated[str, Meta(description="The name; may be empty.", examples=["Dewi"])]
    vehicle_type: Annotated[str, Meta(description="The kind of vehicle.", examples=["motorcycle"])]
    vehicle_plate: Annotated[str, Meta(description="The licence plate.", examples=["B 1234 XYZ"])]
    rating: Rating = None


class PassengerCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The passenger who waits, as the driver calls them."""

    full_name: Annotated[str, Meta(description="The name; may be empty.", examples=["Putri"])]
    rating: Rating = None


Driver = Annotated[DriverCard | None, Meta(description="Who drives; gone some time after the ride (`CARD_RETENTION`).")]
Passenger = Annotated[
    PassengerCard | None, Meta(description="Who rides; gone some time after the ride (`CARD_RETENTION`).")
]
Pin = Annotated[
    str | None,
    Meta(
        description="Four digits that only the passenger is shown; the driver needs them to start.", examples=["4711"]
    ),
]
AutoAccept = Annotated[
    bool,
    Meta(description="Whether the first driver who accepts has the ride, without a confirmation of the passenger."),
]
QuoteId = Annotated[
    UUID | None,
    Meta(description="The quote whose price was agreed, if any.", examples=["01990000-0000-7000-8000-000000000008"]),
]

Rupiah = Annotated[int, Meta(extra_json_schema={"minimum": 0}, examples=[12_750])]
Kilometres = Annotated[float, Meta(extra_json_schema={"minimum": 0}, examples=[4.25])]
Factor = Annotated[float, Meta(extra_json_schema={"minimum": 0, "maximum": 1}, examples=[0.9])]
Address = Annotated[str, Meta(extra_json_schema={"format": "uri", "maxLength": 500})]
Reason = Annotated[str, Meta(extra_json_schema={"maxLength": 200}, examples=["The bike has a flat tyre."])]
