from typing import Any

import msgspec
import pytest

from common.errors import DomainError, ErrorCode
from events.base import Event
from realtime.commands.dispatch import read_command, route_of
from realtime.commands.routes import ROUTES
from realtime.contract import frames as protocol
from realtime.contract.messages import MESSAGES
from rides.events import EVENTS
from rides.services.rides import NOT_YOURS
from web.docs.contract import SEQ, commands, messages


def test_every_type_of_frame_is_there_once() -> None:
    """Commands in the order of the routes; what the server sends once for each type."""
    assert [frame.type for frame in commands()] == list(ROUTES)
    sent = [frame.type for frame in messages()]
    assert len(sent) == len(set(sent))
    assert set(sent) == {event.type for event in EVENTS} | {message.type for message in MESSAGES}


def test_only_the_first_example_of_a_command_has_an_id() -> None:
    """Readers see both ways of sending."""
    for frame in commands():
        first, *others = frame.examples().values()
        assert "id" in first
        assert not any("id" in other for other in others)


def test_examples_of_notifications_have_a_number() -> None:
    """Nothing else has."""
    for frame in messages():
        is_event = issubclass(frame.struct, Event)
        assert all((example.get("seq") == SEQ) == is_event for example in frame.examples().values())


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("{", "driver"),
        ('{"type":"ride_begin","data":{}}', "driver"),
        ('{"type":"location_update","data":{"latitude":91}}', "driver"),
        ('{"type":"match_confirm","data":{"accepted":true}}', "driver"),
        ('{"type":"ride_start","data":{}}', "passenger"),
    ],
)
def test_the_errors_that_are_shown_are_those_of_the_code(text: str, role: str) -> None:
    """A real refusal is among the examples, word for word."""
    (error,) = [frame for frame in messages() if frame.type == "error"]
    shown = [frame["data"] for frame in error.examples().values()]
    assert refused(text, role) in shown


def test_every_error_code_and_a_foreign_ride_are_shown() -> None:
    """No code is without an example."""
    (error,) = [frame for frame in messages() if frame.type == "error"]
    shown = [frame["data"] for frame in error.examples().values()]
    assert {data["code"] for data in shown} == set(ErrorCode)
    assert NOT_YOURS in [data["message"] for data in shown]


def refused(text: str, role: str) -> dict[str, Any]:
    """Return the error with which a frame is refused."""
    try:
        frame = protocol.decode_frame(text)
        read_command(route_of(frame), role, frame)
    except protocol.BadFrame as exc:
        return dict(protocol.error_data(exc.error))
    except DomainError as exc:
        return dict(msgspec.json.decode(msgspec.json.encode(protocol.error_data(exc))))
    raise AssertionError(f"{text} is a good frame")
