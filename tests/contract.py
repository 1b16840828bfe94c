"""The documented contract, taken at its word: no unknown field, none missing, every value in its range."""

from __future__ import annotations

import copy
import re
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft7Validator, FormatChecker

from web.docs.asyncapi import document
from web.docs.outputs import default_url

FORMATS = FormatChecker(formats=("uuid",))


def is_moment(value: object) -> bool:
    """Whether a text is a time of RFC 3339; what is no text is none of its business."""
    return not isinstance(value, str) or bool(
        re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value)
        and datetime.fromisoformat(value)
    )


def is_address(value: object) -> bool:
    """Whether a text is an absolute address; what is no text is none of its business."""
    return not isinstance(value, str) or all(urlsplit(value)[:2])


FORMATS.checks("date-time", ValueError)(is_moment)
FORMATS.checks("uri", ValueError)(is_address)


@cache
def validators() -> dict[tuple[str, str], Draft7Validator]:
    """Return what checks a frame, by `Command` or `Message` and the frame's type."""
    schemas = copy.deepcopy(document(default_url())["components"]["schemas"])
    for schema in schemas.values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    found = {}
    for name in schemas:
        for kind in ("Command", "Message"):
            if name.endswith(kind):
                whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
                frame_type = schemas[name]["properties"]["type"]["const"]
                found[kind, frame_type] = Draft7Validator(whole, format_checker=FORMATS)
    return found


def faults(kind: str, frame: dict[str, Any]) -> list[str]:
    """Return what is wrong with a frame, by the document; `kind` is `Command` or `Message`."""
    errors = validators()[kind, frame["type"]].iter_errors(frame)
    return [f"{error.json_path}: {error.message}" for error in errors]
