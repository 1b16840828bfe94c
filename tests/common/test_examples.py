from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta

from common.examples import Examples, example_of, examples_of


class Colour(StrEnum):
    """A colour."""

    RED = "red"


class Wheel(msgspec.Struct):
    """A wheel."""

    examples: ClassVar[Examples] = {"A large one": {"size": 28}, "A small one": {"size": 12}}

    size: int


class Bike(msgspec.Struct):
    """A bike. That is all."""

    wheels: list[Wheel]
    colour: Colour
    kind: Literal["b", "a"]
    weight: Annotated[float, Meta(ge=2)]
    name: Annotated[str, Meta(examples=["Kumbang"])]
    owner: UUID | None
    bought: Annotated[datetime, Meta(tz=True)]
    is_new: bool
    note: str | None = None


def test_every_field_has_a_value_that_its_schema_allows() -> None:
    """Without examples of the class there is one with all fields."""
    ((text, made),) = examples_of(Bike).items()
    assert text == "A bike. That is all"
    assert made["wheels"] == [{"size": 28}]
    assert (made["colour"], made["kind"], made["weight"], made["name"]) == ("red", "a", 2, "Kumbang")
    assert msgspec.convert(made, Bike).is_new


def test_a_class_may_give_its_own() -> None:
    """Each example says only in what it differs from the one that is made."""
    assert examples_of(Wheel) == {"A large one": {"size": 28}, "A small one": {"size": 12}}
    assert example_of(Wheel) == {"size": 28}


def test_a_field_may_be_left_out() -> None:
    """UNSET takes a field out of an example."""

    class Frame(msgspec.Struct):
        """A frame."""

        examples: ClassVar[Examples] = {"Bare": {"size": UNSET}}

        size: int = 1
        material: str = "steel"

    assert examples_of(Frame) == {"Bare": {"material": "…"}}
