import copy
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator

from common.errors import ErrorCode
from realtime.commands.routes import ROUTES
from realtime.contract.frames import BadFrame, CloseCode, decode_frame
from realtime.contract.messages import MESSAGES
from rides.events import EVENTS
from tests.contract import FORMATS, faults, validators
from web.docs.asyncapi import document
from web.docs.contract import messages
from web.docs.outputs import default_url

MADE = document(default_url())
SCHEMAS = MADE["components"]["schemas"]
FRAMES = MADE["components"]["messages"]
EXAMPLES = [
    pytest.param("Command" if name.endswith("Command") else "Message", example, id=f"{name} {example['summary']}")
    for name, message in FRAMES.items()
    for example in message["examples"]
]

VALUES: list[Any] = [
    None, True, False, -1, 0, 0.5, 1.5, 91, -181, 361, 2**53, "", "x" * 200, "x" * 201, "a\0b", "ACCEPTED", "PENDING",
    "0199a5b0-0000-7000-8000-000000000001", "0199a5b0-0000-7000-8000-00000000000g", "2026-01-31T12:00:00Z",
    "2026-01-31T12:00:00.25+07:00", "2026-01-31T12:00:00", "today", [], {}, {"latitude": 1, "longitude": 2},
    {"latitude": 91, "longitude": 2}, {"latitude": 1}, {"latitude": 1, "longitude": None},
]  # fmt: skip


def types_of(suffix: str) -> list[str]:
    return [message["name"] for name, message in FRAMES.items() if name.endswith(suffix)]


def test_every_command_and_every_message_is_there_once() -> None:
    assert types_of("Command") == list(ROUTES)
    sent = types_of("Message")
    assert sorted(sent) == sorted({event.type for event in EVENTS} | {message.type for message in MESSAGES})
    assert len(messages()) == len(sent)
    channel = MADE["channels"]["ws"]
    assert set(channel["messages"]) == set(FRAMES)
    assert channel["address"] == "/ws/"


def test_the_server_receives_commands_and_sends_the_rest() -> None:
    def names(references: list[dict[str, str]]) -> list[str]:
        return [reference["$ref"].rsplit("/", 1)[1] for reference in references]

    operations = list(MADE["operations"].values())
    receives = [operation for operation in operations if operation["action"] == "receive"]
    sends = [operation for operation in operations if operation["action"] == "send"]
    assert len(receives) + len(sends) == len(operations)
    said = [name for operation in receives for name in names(operation["messages"])]
    assert said == [name for name in FRAMES if name.endswith("Command")]
    assert all(names(operation["reply"]["messages"]) == ["AckMessage", "ErrorMessage"] for operation in receives)
    heard = {name for operation in sends for name in names(operation["messages"])}
    assert heard == {name for name in FRAMES if name.endswith("Message")} - {"AckMessage"}


@pytest.mark.parametrize(("kind", "example"), EXAMPLES)
def test_every_example_is_what_the_document_says(kind: str, example: dict[str, Any]) -> None:
    assert faults(kind, example["payload"]) == []


@pytest.mark.parametrize(("kind", "example"), [case for case in EXAMPLES if case.values[0] == "Command"])
def test_every_example_of_a_command_is_taken_by_the_decoder(kind: str, example: dict[str, Any]) -> None:
    frame = decode_frame(msgspec.json.encode(example["payload"]))
    ROUTES[frame.type].decode(frame.data)


def test_every_frame_says_what_it_is_and_for_whom() -> None:
    for name, message in FRAMES.items():
        assert message["examples"], name
        assert message["title"], name
        assert message["summary"].endswith("."), name
        assert message.get("x-sent-by") or message.get("x-sent-to"), name
        assert message["payload"]["$ref"].endswith(f"/{name}")
    for kind, route in ROUTES.items():
        roles = next(message["x-sent-by"] for message in FRAMES.values() if message["name"] == kind)
        assert set(roles) == route.roles


def test_every_field_is_described() -> None:
    for name, schema in SCHEMAS.items():
        for field, own in schema.get("properties", {}).items():
            if not name.endswith(("Command", "Message")) or field not in ("type", "data"):
                assert own.get("description"), f"{name}.{field}"


def test_notifications_are_numbered_and_answers_have_the_clients_id() -> None:
    numbered = {event.type for event in EVENTS}
    for kind in {event.type for event in EVENTS} | {message.type for message in MESSAGES}:
        envelope = validators()["Message", kind].schema["$ref"].rsplit("/", 1)[1]
        required = set(SCHEMAS[envelope]["required"]) - {"type", "data"}
        assert required == ({"seq"} if kind in numbered else {"id"} if kind == "ack" else set()), kind
        assert ("id" in SCHEMAS[envelope]["properties"]) == (kind in ("ack", "error"))


def test_every_error_and_close_code_is_explained_with_an_example() -> None:
    errors = FRAMES["ErrorMessage"]["x-error-codes"]
    assert [error["code"] for error in errors] == list(ErrorCode)
    for error in errors:
        assert error["meaning"]
        for example in error["examples"]:
            assert faults("Message", example["payload"]) == []
            assert example["payload"]["data"]["code"] == error["code"]
        assert error["examples"]
    closes = MADE["channels"]["ws"]["x-close-codes"]
    assert [close["code"] for close in closes] == [int(code) for code in CloseCode]
    assert {close["code"] for close in closes if not close["reconnect"]} == {4401, 4409}


def test_the_handshake_is_described() -> None:
    assert set(MADE["components"]["securitySchemes"]) == {"bearer", "subprotocol"}
    handshake = MADE["channels"]["ws"]["bindings"]["ws"]
    assert "resume" in handshake["query"]["properties"]
    assert set(handshake["headers"]["properties"]) == {"Authorization", "Sec-WebSocket-Protocol", "Origin"}
    for part in (handshake["query"], handshake["headers"]):
        for name, own in part["properties"].items():
            for example in own["examples"]:
                assert not list(_errors(own, example)), name


def _errors(schema: dict[str, Any], value: Any) -> Any:
    return Draft7Validator(schema, format_checker=FORMATS).iter_errors(value)


def test_a_document_leaves_the_classes_alone() -> None:
    assert document(default_url()) == copy.deepcopy(MADE)


@pytest.mark.parametrize("kind", ROUTES)
def test_a_command_is_taken_when_the_document_allows_it_and_refused_when_not(kind: str) -> None:
    """What the server decodes and what the document says are the same, for odd values in every field."""
    example = next(message for message in FRAMES.values() if message["name"] == kind)["examples"][0]["payload"]
    tried = 0
    for field in SCHEMAS[_data_of(kind)]["properties"]:
        for value in [*VALUES, "missing"]:
            data = {name: own for name, own in example["data"].items() if name != field}
            if value != "missing":
                data[field] = value
            frame = {"type": kind, "data": data}
            assert _is_taken(frame) == (faults("Command", frame) == []), frame
            tried += 1
    assert tried or kind == "sync"


@pytest.mark.parametrize("command_id", [*VALUES, "x" * 64, "x" * 65])
def test_an_id_is_taken_when_the_document_allows_it(command_id: Any) -> None:
    frame = {"type": "sync", "data": {}, "id": command_id}
    assert _is_taken(frame) == (faults("Command", frame) == [])


def _data_of(kind: str) -> str:
    envelope = validators()["Command", kind].schema["$ref"].rsplit("/", 1)[1]
    return str(SCHEMAS[envelope]["properties"]["data"]["$ref"].rsplit("/", 1)[1])


def _is_taken(frame: dict[str, Any]) -> bool:
    try:
        read = decode_frame(msgspec.json.encode(frame))
        ROUTES[read.type].decode(read.data)
    except (BadFrame, msgspec.ValidationError):
        return False
    return True
