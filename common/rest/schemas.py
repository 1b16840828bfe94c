"""JSON schemas of structs, for the documents: exactly what stands on the wire, with a word on every field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Schema = dict[str, Any]

NULL: Schema = {"type": "null"}

LARGE = 2**53
"""Bounds beyond this are those of the computer, not of the contract."""


def components(structs: Iterable[type[msgspec.Struct]], glossary: Mapping[str, str]) -> dict[str, Schema]:
    """Return the schemas of these structs and of all they are made of, by name.

    `glossary` says what a field means, by `Struct.field` or, where it is the same everywhere, by `field`; one that is
    in neither has no description.
    """
    kinds = {kind.__name__: kind for kind in _with_parts(structs)}
    _, schemas = msgspec.json.schema_components(list(kinds.values()), ref_template="#/components/schemas/{name}")
    for name, schema in schemas.items():
        _complete(name, schema, kinds.get(name), glossary)
    return schemas


def schema_of(kind: Any) -> Schema:
    """Return the schema of a type that has no parts."""
    return _exact(msgspec.json.schema(kind))


def _with_parts(structs: Iterable[type[msgspec.Struct]]) -> list[type[msgspec.Struct]]:
    """Return the structs, and those that their fields are made of."""
    found: dict[type[msgspec.Struct], None] = {}
    waiting = list(structs)
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found[kind] = None
            info = msgspec.inspect.type_info(kind)
            waiting += _structs_in([field.type for field in info.fields])  # type: ignore[attr-defined]
    return list(found)


def _structs_in(types: Iterable[msgspec.inspect.Type]) -> list[type[msgspec.Struct]]:
    found = []
    for one in types:
        match one:
            case msgspec.inspect.StructType(cls=cls):
                found.append(cls)
            case msgspec.inspect.UnionType(types=options):
                found += _structs_in(options)
            case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.Metadata(type=item):
                found += _structs_in([item])
    return found


def _complete(name: str, schema: Schema, kind: type[msgspec.Struct] | None, glossary: Mapping[str, str]) -> None:
    schema.update(_exact(schema))
    leaves_out = kind is not None and kind.__struct_config__.omit_defaults
    for field, own in schema.get("properties", {}).items():
        if leaves_out and "default" in own and own["default"] is None:
            own = _never_null(own)  # noqa: PLW2901
        text = glossary.get(f"{name}.{field}") or glossary.get(field)
        own = _exact(own)  # noqa: PLW2901
        for choice in (own, own.get("items", {})):
            if "enum" in choice:  # a name for generators of code
                choice["title"] = name + "".join(word.capitalize() for word in field.split("_"))
        schema["properties"][field] = {**own, "description": text} if text else own
    if not schema.get("required", True):
        del schema["required"]


def _exact(schema: Schema) -> Schema:
    """Say that texts are texts, and no bounds but those of the contract."""
    schema = {name: value for name, value in schema.items() if name != "maximum" or value < LARGE}
    if "enum" in schema and all(isinstance(value, str) for value in schema["enum"]):
        schema = {"type": "string", **schema}
    if "anyOf" in schema:
        schema = _flat({**schema, "anyOf": [_exact(option) for option in schema["anyOf"]]})
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
    return options[0] if len(options) == 1 else {"anyOf": options}
