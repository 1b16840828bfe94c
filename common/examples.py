"""Examples of structs for the documents: made of their schemas, or given by their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from common.schemas import Schema, components, structs_of, summary_of

Examples = Mapping[str, Mapping[str, Any]]
"""What an example shows -> the fields in which it differs from the one that is made of the schema.

The value `msgspec.UNSET` leaves a field out.
"""

BY_FORMAT = {"uuid": "01990000-0000-7000-8000-000000000007", "date-time": "2026-01-31T12:00:08Z"}


def examples_of(kind: type[msgspec.Struct]) -> dict[str, dict[str, Any]]:
    """Return the examples of a struct by what they show, JSON-ready: those of its class, or one with every field.

    The value of a field is the first of its `msgspec.Meta(examples=…)`, else the least that its schema allows.
    """
    schemas = components([kind])
    parts = {part.__name__: part for part in structs_of([kind])}
    made = {name: _value(field, schemas, parts) for name, field in schemas[kind.__name__].get("properties", {}).items()}
    given: Examples = getattr(kind, "examples", None) or {summary_of(kind).removesuffix("."): {}}
    return {
        text: {name: value for name, value in {**made, **changes}.items() if value is not msgspec.UNSET}
        for text, changes in given.items()
    }


def example_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the first example of a struct."""
    return next(iter(examples_of(kind).values()))


def _value(field: Schema, schemas: dict[str, Schema], parts: dict[str, type[msgspec.Struct]]) -> Any:
    if "examples" in field:
        return field["examples"][0]
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return example_of(parts[name]) if name in parts else schemas[name]["enum"][0]
    if "anyOf" in field:
        return _value(field["anyOf"][0], schemas, parts)
    if "items" in field:
        return [_value(field["items"], schemas, parts)]
    if "enum" in field:
        return field["enum"][0]
    kind = field["type"][0] if isinstance(field["type"], list) else field["type"]
    by_type = {"boolean": True, "integer": field.get("minimum", 1), "number": field.get("minimum", 1), "string": "…"}
    return BY_FORMAT.get(field.get("format", ""), by_type.get(kind))
