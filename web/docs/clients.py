"""The parts of both clients that repeat the contract: the methods for commands, and types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from common.schemas import Schema, components
from realtime.commands.routes import ROUTES
from realtime.contract.messages import SessionReady
from rides.events import MatchSnapshot
from web.docs.contract import FrameType, camel, commands, messages

MADE = "Made from the server's code by `make docs`: do not edit"

BY_HAND = ("location_update", "token_refresh")
"""Commands for which the clients do more than to send them."""

NAMES = {
    "BeaconState": "Beacon", "Error": "ErrorData", "FinderState": "Finder", "MatchSnapshot": "Match",
    "OpenMatch": "Match", "PaymentSnapshot": "Payment", "RideCard": "Ride", "SessionReady": "Session",
    "UserState": "State",
}  # fmt: skip
"""What the clients call types of the server."""

PYTHON = {
    "string": "str",
    "number": "float",
    "integer": "int",
    "boolean": "bool",
    "null": "None",
    "list": "list[{}]",
    "choice": "Literal[{}]",
    "choices": ", ",
    "GeoPoint": "Location",
}
PYTHON_GIVEN = {**PYTHON, "uuid": "Id", "date-time": "datetime | str"}
TYPESCRIPT = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
    "list": "{}[]",
    "choice": "{}",
    "choices": " | ",
    "GeoPoint": "Place",
}

PYTHON_COMMANDS = '''"""The commands of the contract, each a method that returns the data of its `ack`.

{made}.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal
from uuid import UUID

from nebengjek_client.contract import Location
from nebengjek_client.frames import Data, given

Id = str | UUID


class Commands(ABC):
    """The commands. Each raises a `ServerError` when it is refused; `Client.command` says what else may happen."""

    @abstractmethod
    async def command(self, kind: str, data: Data) -> Data:
        """Send a command and return the data of its `ack`."""
'''

PYTHON_TYPES = '''"""Types of what the server sends; fields that are not named here are passed on.

{made}.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict
'''

JAVASCRIPT_COMMANDS = """/** The commands of the contract. {made}. */

/**
 * When each command makes sense: its type, the roles, the situations (see `situations` in `state.js`).
 * @type {{[string, string[], string[]][]}}
 */
export const ACTIONS = [
{actions}];

/** @typedef {{{{signal?: AbortSignal}}}} CommandOptions aborting withdraws a command: it is not sent again */

/** Each method resolves to the data of the `ack`, or rejects with what was wrong. */
export class Commands {{
{methods}}}
"""

TYPESCRIPT_TYPES = """/** The types of the contract (docs/protocol.md). {made}. */

{types}/** The `data` of each message by its type. */
export interface Messages {{
{messages}}}

/** The `data` of each command by its type. */
export interface CommandData {{
{commands}}}

/** Aborting withdraws a command: it is not sent, or not sent again. */
export interface CommandOptions {{ signal?: AbortSignal }}
export type Ack = Promise<Record<string, unknown>>;

/** When each command makes sense: its type, the roles, the situations. */
export const ACTIONS: [string, string[], string[]][];

export class Commands {{
{methods}}}
"""


class Field(msgspec.Struct, frozen=True):
    """A field of a command, with the value that clients send where a required one is not given."""

    name: str
    schema: Schema
    required: bool
    default: Any = None

    def type(self, words: Mapping[str, str]) -> str:
        """Return its type in a language; one that may be left out is left out instead of being null."""
        kind = type_of(self.schema, words)
        return kind if self.required else kind.removesuffix(f" | {words['null']}")


def python_commands() -> str:
    """Return `nebengjek_client/commands.py`."""
    return PYTHON_COMMANDS.format(made=MADE) + "".join(f"\n{_python_method(frame)}" for frame in _generated())


def python_types() -> str:
    """Return `nebengjek_client/contract.py`."""
    schemas = components([MatchSnapshot, SessionReady])
    structs = (name for name, schema in schemas.items() if "properties" in schema and name != "OpenMatch")
    return "\n\n".join([PYTHON_TYPES.format(made=MADE), *(_typed_dict(name, schemas[name]) for name in structs)])


def _typed_dict(name: str, schema: Schema) -> str:
    lines = "".join(f"    {field.name}: {_typed(field)}\n" for field in _fields(schema))
    return f'class {_name(name, PYTHON)}(TypedDict):\n    """{schema["description"]}"""\n\n{lines}'


def javascript_commands() -> str:
    """Return `nebengjek/commands.js`."""
    routes = sorted(ROUTES.items(), key=lambda item: item[1].service is not None)
    rows = ([kind, sorted(route.roles), [one.name for one in route.when]] for kind, route in routes)
    actions = "".join(f"  {json.dumps(row)},\n" for row in rows)
    methods = "\n".join(_javascript_method(frame) for frame in _generated())
    return JAVASCRIPT_COMMANDS.format(made=MADE, actions=actions, methods=methods)


def typescript() -> str:
    """Return `nebengjek/commands.d.ts`."""
    schemas = components(frame.struct for frame in messages() if frame.type != "ack")
    said = {frame.type: _ts_object(command_fields(frame)) for frame in commands()}
    methods = (f"{_method_name(frame)}({_ts_data(frame)}options?: CommandOptions): Ack" for frame in _generated())
    return TYPESCRIPT_TYPES.format(
        made=MADE,
        types="".join(_ts_type(name, schema) for name, schema in schemas.items()),
        messages="".join(
            f"  {frame.type}: {_name(frame.data_name, TYPESCRIPT)};\n" for frame in messages() if frame.type != "ack"
        ),
        commands="".join(f"  {kind}: {fields};\n" for kind, fields in said.items()),
        methods="".join(f"  {method};\n" for method in methods),
    )


def type_of(schema: Schema, words: Mapping[str, str]) -> str:
    """Return a type in a language."""
    if "anyOf" in schema:
        return " | ".join(type_of(one, words) for one in schema["anyOf"])
    if "$ref" in schema:
        return _name(schema["$ref"].rsplit("/", 1)[1], words)
    if "enum" in schema:
        return words["choice"].format(words["choices"].join(json.dumps(value) for value in schema["enum"]))
    if schema["type"] == "array":
        inner = type_of(schema["items"], words)
        return words["list"].format(f"({inner})" if "enum" in schema["items"] and words is TYPESCRIPT else inner)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " | ".join([words.get(schema.get("format", ""), words[kinds[0]]), *(words[kind] for kind in kinds[1:])])


def _name(name: str, words: Mapping[str, str]) -> str:
    return words.get(name) or NAMES.get(name, name)


def _generated() -> list[FrameType]:
    return [frame for frame in commands() if frame.type not in BY_HAND]


def _fields(schema: Schema) -> list[Field]:
    return [Field(name, own, name in schema.get("required", ())) for name, own in schema["properties"].items()]


def command_fields(frame: FrameType) -> list[Field]:
    """Return the fields of a command; those with a value by default need not be given."""
    inspected = msgspec.inspect.type_info(frame.struct).fields  # type: ignore[attr-defined]
    extras = {field.name: getattr(field.type, "extra", None) or {} for field in inspected}
    schema = components([frame.struct])[frame.struct.__name__]
    return [
        msgspec.structs.replace(field, default=default, required=field.required and default is None)
        for field in _fields(schema)
        for default in [extras[field.name].get("client_default")]
    ]


def _python_method(frame: FrameType) -> str:
    fields = command_fields(frame)
    parameters = "".join(f"        {_parameter(field)},\n" for field in fields)
    signature = f"(\n        self,\n        *,\n{parameters}    )" if fields else "(self)"
    values = "".join(f"            {field.name}={field.name},\n" for field in fields)
    return (
        f"    async def {frame.type}{signature} -> Data:\n"
        f'        """{frame.summary}"""\n'
        f"        data = given({f'{chr(10)}{values}        ' if fields else ''})\n"
        f'        return await self.command("{frame.type}", data)\n'
    )


def _parameter(field: Field) -> str:
    kind = field.type(PYTHON_GIVEN)
    if field.default is not None:
        return f"{field.name}: {kind} = {json.dumps(field.default)}"
    return f"{field.name}: {kind}" if field.required else f"{field.name}: {kind} | None = None"


def _typed(field: Field) -> str:
    return field.type(PYTHON) if field.required else f"NotRequired[{field.type(PYTHON)}]"


def _method_name(frame: FrameType) -> str:
    return frame.type[0] + camel(frame.type)[1:]


def _javascript_method(frame: FrameType) -> str:
    fields = command_fields(frame)
    defaults = "".join(f"{field.name}: {json.dumps(field.default)}, " for field in fields if field.default is not None)
    data = f"{{ {defaults}...data }}" if defaults else "data" if fields else "{}"
    given = f'@param {{import("./commands.d.ts").CommandData["{frame.type}"]}} data ' if fields else ""
    return (
        f"  /** {frame.summary} {given}@param {{CommandOptions}} [options] */\n"
        f"  {_method_name(frame)}({'data, ' if fields else ''}options) "
        f'{{ return this.command("{frame.type}", {data}, options); }}\n'
    )


def _ts_type(name: str, schema: Schema) -> str:
    if "properties" not in schema:
        return f"export type {_name(name, TYPESCRIPT)} = {type_of(schema, TYPESCRIPT)};\n\n"
    lines = (f"  /** {field.schema['description']} */\n  {_ts_field(field)};\n" for field in _fields(schema))
    return f"/** {schema['description']} */\nexport interface {_name(name, TYPESCRIPT)} {{\n{''.join(lines)}}}\n\n"


def _ts_object(fields: list[Field]) -> str:
    return f"{{ {'; '.join(map(_ts_field, fields))} }}" if fields else "{}"


def _ts_field(field: Field) -> str:
    return f"{field.name}{'' if field.required else '?'}: {field.type(TYPESCRIPT)}"


def _ts_data(frame: FrameType) -> str:
    return f'data: CommandData["{frame.type}"], ' if command_fields(frame) else ""
