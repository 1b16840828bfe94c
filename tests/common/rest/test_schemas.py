from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from common.rest.schemas import components, schema_of


class Colour(StrEnum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Wheel(msgspec.Struct):
    """A wheel."""

    size: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Car(msgspec.Struct, omit_defaults=True):
    """A car."""

    wheels: list[Wheel]
    spare: Wheel | None = None
    colour: Colour | None = None
    owner: UUID | None = None


class Ticket(msgspec.Struct):
    """A ticket."""

    kind: Literal["day", "week"]
    car: Car
    seat: int | None
    way: Wheel | None
    note: str | None = None


class Nothing(msgspec.Struct):
    """Nothing."""


def test_a_struct_comes_with_all_it_is_made_of() -> None:
    assert set(components([Ticket], {})) == {"Ticket", "Car", "Wheel", "Colour"}


def test_what_is_left_out_is_never_null_and_what_is_not_may_be() -> None:
    schemas = components([Ticket], {})
    car, ticket = schemas["Car"]["properties"], schemas["Ticket"]["properties"]
    assert car["owner"] == {"type": "string", "format": "uuid"}
    assert car["spare"] == {"$ref": "#/components/schemas/Wheel"}
    assert schemas["Car"]["required"] == ["wheels"]
    assert ticket["seat"] == {"type": ["integer", "null"]}
    assert ticket["note"] == {"type": ["string", "null"], "default": None}
    assert ticket["way"]["anyOf"][1] == {"type": "null"}
    assert schemas["Ticket"]["required"] == ["kind", "car", "seat", "way"]


def test_texts_are_texts_and_the_bounds_of_the_computer_are_not_told() -> None:
    schemas = components([Ticket], {})
    assert schemas["Ticket"]["properties"]["kind"] == {
        "title": "TicketKind", "type": "string", "enum": ["day", "week"],
    }  # fmt: skip
    assert schemas["Colour"]["type"] == "string"
    assert schemas["Wheel"]["properties"]["size"] == {"type": "integer", "minimum": 0}
    assert schema_of(Annotated[str, msgspec.Meta(max_length=3)]) == {"type": "string", "maxLength": 3}


def test_a_field_is_described_by_its_own_entry_or_by_that_of_its_name() -> None:
    schemas = components([Ticket], {"size": "Inches.", "Ticket.car": "Whose.", "Car.size": "Not this."})
    assert schemas["Wheel"]["properties"]["size"]["description"] == "Inches."
    car = schemas["Ticket"]["properties"]["car"]
    assert car == {"$ref": "#/components/schemas/Car", "description": "Whose."}
    assert "description" not in schemas["Ticket"]["properties"]["seat"]


def test_a_struct_without_fields_needs_none() -> None:
    assert components([Nothing], {})["Nothing"] == {
        "title": "Nothing", "description": "Nothing.", "type": "object", "properties": {},
    }  # fmt: skip
