"""JSON schemas of structs, for the documents: exactly what is on the wire. Descriptions are those of the fields.

A field says what it means with `Annotated[…, msgspec.Meta(description=…)]`, and gives a value with `examples`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

Schema = dict[str, Any]

NULL: Schema = {"type": "null"}

LARGE = 2**53
"""Bounds beyond this are those of the computer, not of the contract."""


def components(structs: Iterable[type[msgspec.Struct]]) -> dict[str, Schema]:
    """Return the schemas of these structs and of all that they are made of, by name."""
    kinds = structs_of(structs)
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    omitting = {kind.__name__ for kind in kinds if kind.__struct_config__.omit_defaults}
    return {name: _complete(name, schema, name in omitting) for name, schema in schemas.items()}


def schema_of(kind: Any) -> Schema:
    """Return the schema of a type that has no parts."""
    return _exact(msgspec.json.schema(kind))


def structs_of(structs: Iterable[type[msgspec.Struct]]) -> list[type[msgspec.Struct]]:
    """Return the structs, and those that their fields are made of."""
    found: dict[type[msgspec.Struct], None] = {}
    waiting: list[Any] = [_type_info(kind) for kind in structs]
    while waiting:
        match waiting.pop(0):
            case msgspec.inspect.StructType(cls=cls, fields=fields) if cls not in found:
                found[cls] = None
                waiting += [field.type for field in fields]
            case msgspec.inspect.UnionType(types=options):
                waiting += options
            case msgspec.inspect.ListType(item_type=inner) | msgspec.inspect.Metadata(type=inner):
                waiting.append(inner)
    return list(found)


@cache
def _type_info(kind: type[msgspec.Struct]) -> msgspec.inspect.Type:
    return msgspec.inspect.type_info(kind)


def _complete(name: str, schema: Schema, leaves_out: bool) -> Schema:
    schema = _exact(schema)
    for field, own in schema.get("properties", {}).items():
        if leaves_out and "default" in own and own["default"] is None:
            own = _never_null(own)  # noqa: PLW2901
        own = _exact(own)  # noqa: PLW2901
        for choice in (own, own.get("items", {})):
            if "enum" in choice:  # a name for generators of code
                choice["title"] = name + "".join(word.capitalize() for word in field.split("_"))
        schema["properties"][field] = own
    if not schema.get("required", True):
        del schema["required"]
    return schema


def _exact(schema: Schema) -> Schema:
    """Say that texts are texts, and no bounds but those of the contract."""
    schema = {name: value for name, value in schema.items() if name != "maximum" or value < LARGE}
    if "enum" in schema and all(isinstance(value, str) for value in schema["enum"]):
        schema = {"type": "string", **schema}
    if "anyOf" in schema:
        first, *others = [_exact(option) for option in schema["anyOf"]]
        said: Schema = {name: first.pop(name) for name in ("description", "examples") if name in first}
        schema = _flat({**said, **schema, "anyOf": [first, *others]})
    if "items" in schema:
        schema["items"] = _exact(schema["items"])
    return schema


def _flat(schema: Schema) -> Schema:
    """Return `string or null` as one schema with two types, which generators of code understand better."""
    first, *others = schema["anyOf"]
    if others != [NULL] or "$ref" in first or "enum" in first:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**first, **rest, "type": [first["type"], "null"]}


def _never_null(schema: Schema) -> Schema:
    """Return the schema of a field that is left out where it has no value."""
    options = [option for option in schema["anyOf"] if option != NULL]
    first = options[0] if len(options) == 1 else {"anyOf": options}
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**first, **rest}


def summary_of(kind: type) -> str:
    """Return the first paragraph of a class's docstring."""
    return (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
