from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from common.schemas import components, schema_of


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


class Described(msgspec.Struct, omit_defaults=True):
    """With words."""

    size: Annotated[int, msgspec.Meta(description="Inches.", examples=[28])]
    wheel: Annotated[Wheel, msgspec.Meta(description="Its wheel.")]
    spare: Annotated[Wheel | None, msgspec.Meta(description="A spare.")]
    other: Annotated[Wheel | None, msgspec.Meta(description="Another.")] = None
    note: Annotated[str, msgspec.Meta(description="Words.")] | None = None


class Nothing(msgspec.Struct):
    """Nothing."""


def test_a_struct_comes_with_all_it_is_made_of() -> None:
    assert set(components([Ticket])) == {"Ticket", "Car", "Wheel", "Colour"}


def test_what_is_left_out_is_never_null_and_what_is_not_may_be() -> None:
    schemas = components([Ticket])
    car, ticket = schemas["Car"]["properties"], schemas["Ticket"]["properties"]
    assert car["owner"] == {"type": "string", "format": "uuid"}
    assert car["spare"] == {"$ref": "#/components/schemas/Wheel"}
    assert schemas["Car"]["required"] == ["wheels"]
    assert ticket["seat"] == {"type": ["integer", "null"]}
    assert ticket["note"] == {"type": ["string", "null"], "default": None}
    assert ticket["way"]["anyOf"][1] == {"type": "null"}
    assert schemas["Ticket"]["required"] == ["kind", "car", "seat", "way"]


def test_texts_are_texts_and_the_bounds_of_the_computer_are_not_told() -> None:
    schemas = components([Ticket])
    assert schemas["Ticket"]["properties"]["kind"] == {
        "title": "TicketKind", "type": "string", "enum": ["day", "week"],
    }  # fmt: skip
    assert schemas["Colour"]["type"] == "string"
    assert schemas["Wheel"]["properties"]["size"] == {"type": "integer", "minimum": 0}
    assert schema_of(Annotated[str, msgspec.Meta(max_length=3)]) == {"type": "string", "maxLength": 3}


def test_what_a_field_says_of_itself_is_in_its_schema() -> None:
    """Also for one that may be null or left out, and for one that refers to another struct."""
    schemas = components([Described])
    fields = schemas["Described"]["properties"]
    assert {name: field["description"] for name, field in fields.items()} == {
        "size": "Inches.", "wheel": "Its wheel.", "other": "Another.", "spare": "A spare.", "note": "Words.",
    }  # fmt: skip
    assert fields["size"]["examples"] == [28]
    assert fields["wheel"] == {"$ref": "#/components/schemas/Wheel", "description": "Its wheel."}
    assert fields["spare"]["anyOf"] == [{"$ref": "#/components/schemas/Wheel"}, {"type": "null"}]


def test_a_struct_without_fields_needs_none() -> None:
    assert components([Nothing])["Nothing"] == {
        "title": "Nothing", "description": "Nothing.", "type": "object", "properties": {},
    }  # fmt: skip
