"""The protocol's reference, `docs/protocol.md`, made from the classes that define it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from nebengjek.errors import ErrorCode
from realtime.protocol import CloseCode
from realtime.ready import limits
from realtime.routes import ROUTES
from rides.events import EVENTS
from users.models import Role

VARIABLES = {
    "max_message_size": "WS_MAX_MESSAGE_SIZE",
    "command_rate": "WS_COMMAND_RATE",
    "command_burst": "WS_COMMAND_BURST",
    "location_rate": "WS_LOCATION_RATE",
}
"""What sets the limits that a client is told."""

LARGE = 2**53
"""Limits beyond this are those of the computer, not of the contract."""

PAGE = "docs/protocol.md"

TEMPLATE = Path(__file__).with_name("reference.md")

ERRORS = {
    ErrorCode.INVALID_FORMAT: "Not JSON, not the envelope, a bad `id`, binary, or `unknown message type: <type>`.",
    ErrorCode.VALIDATION_FAILED: "A field, a range, a state that does not allow it, an id that is not yours.",
    ErrorCode.UNAUTHORIZED: "A wrong role or a bad token; the message is always `Authentication required`.",
    ErrorCode.RATE_LIMIT: "Too many commands; `retry_after` says when to send it again, with the same `id`.",
    ErrorCode.INTERNAL_ERROR: "A fault of the server: nothing has happened, and the same `id` may be sent again.",
}


def render() -> str:
    """Return the page as Markdown."""
    text = TEMPLATE.read_text(encoding="utf-8")
    parts = {
        "{commands}": _table(("type", "who", "data", "meaning"), _commands()),
        "{events}": _table(("type", "subject", "data", "meaning"), _events()),
        "{errors}": _table(("code", "when"), ((f"`{code}`", ERRORS[code]) for code in ErrorCode)),
        "{close_codes}": _table(("code", "meaning"), _close_codes()),
        "{limits}": ", ".join(f"`{name}` {settings.DECLARED_VARIABLES[VARIABLES[name]]}" for name in limits()),
    }
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def page() -> Path:
    """Return where the page lives in the repository."""
    return Path(settings.BASE_DIR) / PAGE


def _commands() -> Iterable[tuple[str, ...]]:
    for name, route in ROUTES.items():
        who = "both" if len(route.roles) == len(Role) else next(iter(route.roles))
        yield f"`{name}`", who, _fields(route.command), _first_line(route.command)


def _events() -> Iterable[tuple[str, ...]]:
    for event in EVENTS:
        yield f"`{event.type}`", f"`{event.subject}`", _fields(event), _first_line(event)


def _close_codes() -> Iterable[tuple[str, ...]]:
    source = inspect.getsource(CloseCode).split('"""')[2:]
    for code, meaning in zip(CloseCode, source[1::2], strict=True):
        yield str(int(code)), " ".join(meaning.split())


def _fields(struct: type[msgspec.Struct]) -> str:
    _, components = msgspec.json.schema_components([struct])
    schema = components[struct.__name__]
    required = schema.get("required", [])
    return "; ".join(
        f"`{name}`{'' if name in required else '?'} {_type(field, components)}"
        for name, field in schema["properties"].items()
    )


def _type(field: dict[str, Any], components: dict[str, Any]) -> str:
    """Return a field's JSON type and its limits in a few words."""
    if "$ref" in field:
        nested = components[field["$ref"].rsplit("/", 1)[1]]
        if set(nested["properties"]) == {"latitude", "longitude"}:
            return "{latitude, longitude}"
        return f"{nested['title']} {{…}}"
    if "anyOf" in field:
        options = [_type(option, components) for option in field["anyOf"]]
        return " or ".join(option for option in options if option != "null" or "default" not in field)
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"] if value is not None)
    words = {"date-time": "RFC 3339", "uuid": "UUID"}
    name = words.get(field.get("format", ""), field["type"])
    if "minimum" in field:
        low, high = (f"{field.get(bound, 0):g}" for bound in ("minimum", "maximum"))
        name += f" {low} to {high}" if field.get("maximum", LARGE) < LARGE else f" from {low}"
    if "maxLength" in field:
        name += f" up to {field['maxLength']}"
    return str(name)


def _first_line(thing: type) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
