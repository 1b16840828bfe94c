"""The protocol's reference as Markdown, `docs/protocol.md`, made from the classes that define the protocol."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from common.schemas import Schema
from web.docs.asyncapi import HANDSHAKE_HEADERS, RESUME, close_codes, document, handshake_answers
from web.docs.contract import FrameType, commands, messages
from web.docs.prose import TEMPLATE, fill

WORDS = {"date-time": "time (RFC 3339)", "uuid": "UUID", "uri": "address"}


def render(public_url: str) -> str:
    """Return the page of a server at this address as Markdown."""
    made = document(public_url)
    schemas: dict[str, Schema] = made["components"]["schemas"]
    handshake = {"properties": {**HANDSHAKE_HEADERS, "resume": RESUME}}
    numbered = [frame for frame in messages() if frame.is_numbered]
    others = [frame for frame in messages() if not frame.is_numbered]
    return fill(
        TEMPLATE,
        address=re.sub("^http", "ws", public_url) + "/ws/",
        handshake=_fields(handshake, {}),
        answers=_table("status | meaning | headers | body", map(_answer, handshake_answers())),
        commands="\n\n".join(_entry(frame, schemas) for frame in commands()),
        notifications="\n\n".join(_entry(frame, schemas) for frame in numbered),
        others="\n\n".join(_entry(frame, schemas) for frame in others),
        types="\n\n".join(_types(schemas)),
        errors="\n\n".join(_errors(made)),
        reasons=_table("reason | meaning", _reasons(made)),
        closes=_table("code | meaning | reconnect | example", map(_close, close_codes())),
    )


def _entry(frame: FrameType, schemas: Mapping[str, Schema]) -> str:
    """Return the description of a type of frame."""
    envelope = schemas[frame.name]
    own = {name: field for name, field in envelope["properties"].items() if name not in ("type", "data")}
    data = schemas[frame.data_name]
    fields = {f"data.{name}": field for name, field in data.get("properties", {}).items()} | own
    required = [f"data.{name}" for name in data.get("required", ())] + envelope["required"]
    people = f"Sent {'by' if frame.is_command else 'to'}: {frame.people}."
    subjects = ", ".join(f"`{subject}`" for subject in frame.subjects)
    parts = [
        _heading(f"{'command' if frame.is_command else 'message'}-{frame.type}", f"`{frame.type}`"),
        frame.summary + ("" if frame.is_stored or not frame.is_command else " The answer is not stored."),
        f"{people} Between services: {subjects}." if subjects else people,
        _fields({"properties": fields, "required": required}, schemas) if fields else "The data is empty.",
        *_examples(frame.examples()),
    ]
    return "\n\n".join(parts)


def _types(schemas: Mapping[str, Schema]) -> Iterator[str]:
    """Describe the types that fields refer to."""
    text = json.dumps({name: schema for name, schema in schemas.items() if not name.endswith(("Command", "Message"))})
    used = sorted(set(re.findall(r'"#/components/schemas/(\w+)"', text)))
    for name in used:
        if "properties" in schemas[name]:
            yield "\n\n".join(
                [_heading(f"type-{name}", f"`{name}`"), schemas[name]["description"], _fields(schemas[name], schemas)]
            )


def _errors(made: dict[str, Any]) -> Iterator[str]:
    for error in made["components"]["messages"]["ErrorMessage"]["x-error-codes"]:
        examples = {one["summary"]: one["payload"] for one in error["examples"]}
        heading = _heading(f"error-{error['code']}", f"`{error['code']}`")
        yield "\n\n".join([heading, error["meaning"], *_examples(examples)])


def _reasons(made: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for one in made["components"]["messages"]["ErrorMessage"]["x-error-reasons"]:
        yield f"`{one['reason']}`", one["meaning"]


def _fields(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    rows = (
        (
            f"`{name}`",
            _kind(field, schemas),
            _allowed(field, schemas),
            "required" if name in schema.get("required", ()) else "optional",
            field.get("description", ""),
        )
        for name, field in schema["properties"].items()
    )
    return _table("field | type | range | required | meaning", rows)


def _kind(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    """Return a type in words, with a link where it has fields of its own."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#type-{name})" if "properties" in schemas[name] else _kind(schemas[name], schemas)
    if "anyOf" in schema:
        return f"{_kind(schema['anyOf'][0], schemas)} or null"
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'], schemas)}"
    first, *others = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join([str(WORDS.get(schema.get("format", ""), first)), *others])


def _allowed(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    """Return the values that a field may have."""
    if "$ref" in schema:
        target = schemas[schema["$ref"].rsplit("/", 1)[1]]
        return "" if "properties" in target else _allowed(target, schemas)
    if "items" in schema:
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
    return ", ".join(texts)


def _answer(answer: dict[str, Any]) -> tuple[str, ...]:
    headers = " ".join(f"`{name}: {value}`" for name, value in answer.get("headers", {}).items())
    body = f"`{json.dumps(answer['body'])}`" if "body" in answer else ""
    return str(answer["status"]), answer["meaning"], headers, body


def _close(close: dict[str, Any]) -> tuple[str, ...]:
    anchor = f'<a id="close-{close["code"]}"></a>{close["code"]}'
    return anchor, close["meaning"], "yes" if close["reconnect"] else "**no**", close["example"]


def _examples(examples: Mapping[str, Any]) -> Iterator[str]:
    for number, (text, frame) in enumerate(examples.items()):
        shown = json.dumps(frame, indent=2, ensure_ascii=False)
        summary = f"<details{'' if number else ' open'}><summary>{html.escape(text)}</summary>"
        yield f"{summary}\n\n```json\n{shown}\n```\n\n</details>"


def _heading(anchor: str, text: str) -> str:
    return f'### <a id="{anchor}"></a>{text}'


def _table(head: str, rows: Iterable[tuple[str, ...]]) -> str:
    count = head.count("|") + 1
    lines = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join([f"| {head} |", "|" + " --- |" * count, *lines])
