"""The AsyncAPI document in the order in which people read it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import msgspec
from django.utils.safestring import SafeString

from web.docs.asyncapi.document import COMMANDS, NOTIFICATIONS, OTHERS, document
from web.docs.prose import inline, prose

Part = dict[str, Any]

WORDS = {"date-time": "time (RFC 3339)", "uuid": "UUID", "uri": "address"}


class Kind(msgspec.Struct, frozen=True):
    """A type in words, with the name of a type of its own between them, where it has one."""

    before: str = ""
    name: str = ""
    after: str = ""


class Field(msgspec.Struct, frozen=True):
    """A line of a table of fields."""

    name: str
    kind: Kind
    allowed: list[SafeString]
    required: bool
    text: SafeString


class Example(msgspec.Struct, frozen=True):
    """A frame, and what it shows."""

    text: str
    json: str


class Entry(msgspec.Struct, frozen=True):
    """A command, a message or a type."""

    anchor: str
    name: str
    summary: SafeString
    note: SafeString
    who: str
    subjects: list[str]
    fields: list[Field]
    examples: list[Example]


class ErrorEntry(msgspec.Struct, frozen=True):
    """An error code."""

    code: str
    meaning: SafeString
    examples: list[Example]


class CloseEntry(msgspec.Struct, frozen=True):
    """A close code."""

    code: int
    meaning: SafeString
    reconnect: bool
    example: SafeString


class Answer(msgspec.Struct, frozen=True):
    """An answer to a handshake."""

    status: int
    meaning: SafeString
    headers: dict[str, str]
    body: str


class Section(msgspec.Struct, frozen=True):
    """Commands, notifications, or the other messages."""

    anchor: str
    title: str
    text: SafeString
    entries: list[Entry]


class Page(msgspec.Struct, frozen=True):
    """The whole document."""

    version: str
    address: str
    frames: SafeString
    connecting: SafeString
    ways_in: list[SafeString]
    handshake: list[Field]
    answers: list[Answer]
    sections: list[Section]
    types: list[Entry]
    errors: list[ErrorEntry]
    closes: list[CloseEntry]


@cache
def page(public_url: str) -> Page:
    """Return the document of a server at this address."""
    made = document(public_url)
    channel, server = made["channels"]["ws"], made["servers"]["server"]
    bindings = channel["bindings"]["ws"]
    error = made["components"]["messages"]["ErrorMessage"]
    return Page(
        version=made["info"]["version"],
        address=f"{server['protocol']}://{server['host']}{server.get('pathname', '')}{channel['address']}",
        frames=prose(made["info"]["description"]),
        connecting=prose(channel["description"]),
        ways_in=[inline(scheme["description"]) for scheme in made["components"]["securitySchemes"].values()],
        handshake=[*_fields(bindings["headers"]), *_fields(bindings["query"])],
        answers=[_answer(answer) for answer in channel["x-handshake-answers"]],
        sections=_sections(made),
        types=_types(made),
        errors=[
            ErrorEntry(one["code"], inline(one["meaning"]), _examples(one["examples"]))
            for one in error["x-error-codes"]
        ],
        closes=[
            CloseEntry(one["code"], inline(one["meaning"]), one["reconnect"], inline(one["example"]))
            for one in channel["x-close-codes"]
        ],
    )


def _sections(made: Part) -> list[Section]:
    tags = {tag["name"]: tag["description"] for tag in made["info"]["tags"]}
    messages = made["components"]["messages"]
    found: dict[str, list[str]] = {name: [] for name in tags}
    for operation in made["operations"].values():
        found[operation["tags"][0]["name"]] += [_last(one["$ref"]) for one in operation["messages"]]
    found[OTHERS].insert(-1, "AckMessage")  # the answer of every command; before `error`
    titles = {
        COMMANDS: ("commands", "What a client may send"),
        NOTIFICATIONS: ("notifications", "What the server tells"),
        OTHERS: ("others", "Answers and other messages"),
    }
    return [
        Section(*titles[tag], prose(tags[tag]), [_frame(made, name, messages[name]) for name in names])
        for tag, names in found.items()
    ]


def _frame(made: Part, name: str, message: Part) -> Entry:
    schemas = made["components"]["schemas"]
    data = schemas[_last(schemas[name]["properties"]["data"]["$ref"])]
    said = "x-sent-by" in message
    return Entry(
        anchor=f"{'command' if said else 'message'}-{message['name']}",
        name=message["name"],
        summary=inline(message["summary"]),
        note=inline(message.get("description", "")),
        who=" or ".join(message["x-sent-by"]) if said else message["x-sent-to"],
        subjects=message.get("x-subjects", []),
        fields=[*_within_data(_fields(data, schemas)), *_fields(_own(schemas[name]))],
        examples=_examples(message["examples"]),
    )


def _within_data(fields: list[Field]) -> list[Field]:
    return [msgspec.structs.replace(field, name=f"data.{field.name}") for field in fields]


def _own(envelope: Part) -> Part:
    """Return what a frame has beside its type and data."""
    own = {name: field for name, field in envelope["properties"].items() if name not in ("type", "data")}
    return {**envelope, "properties": own}


def _types(made: Part) -> list[Entry]:
    """Return the types that fields refer to."""
    schemas = made["components"]["schemas"]
    used = {
        field.kind.name: None
        for schema in schemas.values()
        for field in _fields(schema, schemas)
        if field.kind.name and field.name != "data"
    }
    return [
        Entry(
            f"type-{name}", name, inline(schemas[name]["description"]), inline(""), "", [],
            _fields(schemas[name], schemas), [],
        )
        for name in sorted(used)
    ]  # fmt: skip


def _fields(schema: Part, schemas: Part | None = None) -> list[Field]:
    required = schema.get("required", [])
    return [
        Field(
            name=name,
            kind=_kind(own, schemas or {}),
            allowed=_allowed(own, schemas or {}),
            required=name in required,
            text=inline(own.get("description", "")),
        )
        for name, own in schema.get("properties", {}).items()
    ]


def _kind(schema: Part, schemas: Part) -> Kind:
    if "$ref" in schema:
        name = _last(schema["$ref"])
        return Kind(name=name) if "properties" in schemas.get(name, {}) else _kind(schemas[name], schemas)
    if "anyOf" in schema:
        inner = _kind(schema["anyOf"][0], schemas)
        return msgspec.structs.replace(inner, after=" or null")
    if schema["type"] == "array":
        inner = _kind(schema["items"], schemas)
        return msgspec.structs.replace(inner, before=f"list of {inner.before}")
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = [str(WORDS.get(schema.get("format", ""), types[0])), *types[1:]]
    return Kind(before=" or ".join(words))


def _allowed(schema: Part, schemas: Part) -> list[SafeString]:
    """Return the values that a field may have, each limit by itself."""
    if "$ref" in schema:
        target = schemas.get(_last(schema["$ref"]), {})
        return [] if "properties" in target else _allowed(target, schemas)
    if schema.get("type") == "array":
        return _allowed(schema["items"], schemas)
    texts = [f"`{value}`" for value in schema.get("enum", ())]
    if "minimum" in schema:
        low, high = schema["minimum"], schema.get("maximum")
        texts.append(f"from {low}" if high is None else f"{low} to {high}")
    if "maxLength" in schema:
        texts.append(f"{schema.get('minLength', 0)} to {schema['maxLength']} characters")
    if "pattern" in schema:
        texts.append(f"`{schema['pattern']}`")
    if schema.get("default"):
        texts.append(f"by default {schema['default']:g}")
    return [inline(text) for text in texts]


def _examples(examples: list[Part]) -> list[Example]:
    return [Example(one["summary"], _pretty(one["payload"])) for one in examples]


def _answer(answer: Part) -> Answer:
    body = _pretty(answer["body"]) if answer.get("body") else ""
    return Answer(answer["status"], inline(answer["meaning"]), answer.get("headers", {}), body)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _last(reference: str) -> str:
    return reference.rsplit("/", 1)[1]
