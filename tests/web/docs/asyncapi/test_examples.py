import pytest

from common.errors import ErrorCode
from events.base import Event
from realtime.commands.routes import ROUTES
from rides.events import EVENTS
from web.docs.asyncapi.document import sent_structs
from web.docs.asyncapi.examples import COMMANDS, SEQ, command_examples, error_examples, message_examples
from web.docs.asyncapi.examples import EVENTS as SHOWN


def test_there_are_examples_of_every_frame() -> None:
    assert set(COMMANDS) == set(ROUTES)
    for kind in ROUTES:
        first, *others = [frame for _, frame in command_examples(kind)]
        assert "id" in first
        assert not any("id" in frame for frame in others)
    for sent in sent_structs():
        assert message_examples(sent.type), sent


@pytest.mark.parametrize("event", EVENTS)
def test_every_class_of_event_is_shown_with_a_number(event: type[Event]) -> None:
    assert event in [type(one) for _, one in SHOWN]
    assert all(frame["seq"] == SEQ for _, frame in message_examples(event.type))


def test_the_errors_are_those_of_the_code() -> None:
    shown = error_examples()
    assert {code for code, _, _ in shown} == set(ErrorCode)
    messages = [frame["data"]["message"] for _, _, frame in shown]
    assert "unknown message type: ride_begin" in messages
    assert "Authentication required" in messages
    assert "Internal server error" in messages
    not_json = shown[0][2]
    assert "id" not in not_json
    out_of_range = shown[2][2]["data"]
    assert (out_of_range["code"], out_of_range["field"]) == ("VALIDATION_FAILED", "latitude")


def test_what_has_its_default_is_left_out_of_a_command() -> None:
    (_, full), (_, less) = command_examples("ride_arrived")
    assert "adjustment_factor" not in full["data"]
    assert less["data"]["adjustment_factor"] == 0.9
