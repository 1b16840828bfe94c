"""The protocol's reference, `docs/protocol.md`, made from the classes that define it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from common.errors import ErrorCode
from common.rest.schemas import LARGE, components
from realtime.commands.routes import ROUTES
from realtime.contract.messages import MESSAGES, Limits, SessionReady
from rides.events import EVENTS
from users.models import Role
from web.docs.asyncapi.glossary import MESSAGES as MEANINGS
from web.docs.asyncapi.meanings import ERRORS, closes

PAGE = "docs/protocol.md"

TEMPLATE = Path(__file__).with_name("reference.md")


def render() -> str:
    """Return the page as Markdown."""
    text = TEMPLATE.read_text(encoding="utf-8")
    parts = {
        "{session_ready}": _table(("field", "type", "meaning"), _session_ready()),
        "{commands}": _table(("type", "who", "data", "meaning"), _commands()),
        "{events}": _table(("type", "subject", "data", "meaning"), _events()),
        "{others}": _table(("type", "data", "meaning"), _others()),
        "{errors}": _table(("code", "when"), ((f"`{code}`", ERRORS[code]) for code in ErrorCode)),
        "{close_codes}": _table(("code", "meaning"), ((str(close.code), close.meaning) for close in closes())),
        "{limits}": default_limits(),
    }
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def prose(heading: str) -> str:
    """Return what stands below a heading of the page, without its tables and what leads to them, line by paragraph."""
    _, _, rest = TEMPLATE.read_text(encoding="utf-8").partition(f"## {heading}\n")
    text, _, _ = rest.partition("\n## ")
    text = text.replace("{limits}", default_limits())
    paragraphs = [part for part in text.strip().split("\n\n") if not part.startswith("{") and not part.endswith(":")]
    return "\n\n".join(re.sub(r"\n(?!- ) *", " ", part) for part in paragraphs)


def default_limits() -> str:
    """Return the limits that `session_ready` tells, as they are where nothing is set."""
    names = (f"WS_{name.upper()}" for name in Limits.__struct_fields__)
    values = (settings.DECLARED_VARIABLES[name] for name in names)
    return ", ".join(f"`{name}` {value}" for name, value in zip(Limits.__struct_fields__, values, strict=True))


def page() -> Path:
    """Return where the page lives in the repository."""
    return Path(settings.BASE_DIR) / PAGE


def first_line(thing: type) -> str:
    """Return what the first paragraph of a class's docstring says."""
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")


def _commands() -> Iterable[tuple[str, ...]]:
    for name, route in ROUTES.items():
        who = "both" if len(route.roles) == len(Role) else next(iter(route.roles))
        yield f"`{name}`", who, _fields(route.command), first_line(route.command)


def _events() -> Iterable[tuple[str, ...]]:
    for event in EVENTS:
        yield f"`{event.type}`", f"`{event.subject}`", _fields(event), first_line(event)


def _others() -> Iterable[tuple[str, ...]]:
    for message in MESSAGES:
        if message is not SessionReady:
            yield f"`{message.type}`", _fields(message), first_line(message)


def _session_ready() -> Iterable[tuple[str, ...]]:
    schemas = components([SessionReady], MEANINGS)
    for name, field in schemas[SessionReady.__name__]["properties"].items():
        yield f"`{name}`", _type(field, schemas), field["description"]


def _fields(struct: type[msgspec.Struct]) -> str:
    schemas = components([struct], {})
    schema = schemas[struct.__name__]
    required = schema.get("required", [])
    return "; ".join(
        f"`{name}`{'' if name in required else '?'} {_type(field, schemas)}"
        for name, field in schema["properties"].items()
    )


def _type(field: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return a field's JSON type and its limits in a few words."""
    if "$ref" in field:
        nested = schemas[field["$ref"].rsplit("/", 1)[1]]
        names = list(nested.get("properties", ()))
        if not names:
            return _type(nested, schemas)
        return f"{{{', '.join(names)}}}" if len(names) < 8 else f"{nested['title']} {{…}}"
    if "anyOf" in field:
        options = [_type(option, schemas) for option in field["anyOf"]]
        return " or ".join(option for option in options if option != "null" or "default" not in field)
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"] if value is not None)
    if isinstance(field["type"], list):
        name = _type({**field, "type": field["type"][0]}, schemas)
        return name if "default" in field else f"{name} or null"
    words = {"date-time": "RFC 3339", "uuid": "UUID", "uri": "URI"}
    name = words.get(field.get("format", ""), field["type"])
    if "minimum" in field:
        low, high = (f"{field.get(bound, 0):g}" for bound in ("minimum", "maximum"))
        name += f" {low} to {high}" if field.get("maximum", LARGE) < LARGE else f" from {low}"
    if "maxLength" in field:
        name += f" up to {field['maxLength']}"
    return str(name)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
