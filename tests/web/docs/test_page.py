from common.errors import ErrorCode
from realtime.commands.routes import ROUTES
from realtime.contract.frames import CloseCode
from realtime.contract.messages import MESSAGES
from rides.events import EVENTS
from web.docs.asyncapi.document import default_url, document
from web.docs.page import Entry, page

PAGE = page(default_url())
COMMANDS, NOTIFICATIONS, OTHERS = PAGE.sections


def entry(anchor: str) -> Entry:
    entries = [one for section in PAGE.sections for one in section.entries] + PAGE.types
    (found,) = [one for one in entries if one.anchor == anchor]
    return found


def test_everything_in_the_document_is_on_the_page_once() -> None:
    assert [one.name for one in COMMANDS.entries] == list(ROUTES)
    assert [one.name for one in NOTIFICATIONS.entries] == list(dict.fromkeys(event.type for event in EVENTS))
    assert sorted(one.name for one in OTHERS.entries) == sorted(message.type for message in MESSAGES)
    assert [error.code for error in PAGE.errors] == list(ErrorCode)
    assert [close.code for close in PAGE.closes] == [int(code) for code in CloseCode]
    anchors = [one.anchor for section in PAGE.sections for one in section.entries] + [one.anchor for one in PAGE.types]
    assert len(set(anchors)) == len(anchors)


def test_a_field_is_told_with_its_type_range_and_meaning() -> None:
    fields = {field.name: field for field in entry("command-location_update").fields}
    assert fields["data.latitude"].kind.before == "number"
    assert fields["data.latitude"].allowed == ["-90 to 90"]
    assert fields["data.latitude"].required
    assert fields["data.accuracy"].kind.before == "number or null"
    assert fields["data.accuracy"].allowed == ["from 0"]
    assert not fields["data.accuracy"].required
    assert fields["data.timestamp"].kind.before == "time (RFC 3339) or null"
    assert fields["id"].allowed[0] == "1 to 64 characters"
    assert all(field.text for one in COMMANDS.entries for field in one.fields)


def test_enumerations_defaults_and_types_of_their_own_are_told() -> None:
    factor = entry("command-ride_arrived").fields[1]
    assert factor.allowed == ["0 to 1", "by default 1"]
    status = entry("message-ride_start").fields
    assert [field.allowed for field in status if field.name == "data.status"] == [["<code>ONGOING</code>"]]
    state = {field.name: field.kind for field in entry("type-UserState").fields}
    assert (state["ride"].name, state["ride"].after) == ("RideSnapshot", " or null")
    assert (state["proposals"].before, state["proposals"].name) == ("list of ", "OpenMatch")
    codes = next(field for field in entry("message-error").fields if field.name == "data.code")
    assert "<code>RATE_LIMIT</code>" in codes.allowed
    actions = next(field for field in entry("type-UserState").fields if field.name == "allowed_actions")
    assert actions.kind.before == "list of string"


def test_every_type_that_is_linked_is_there() -> None:
    entries = [one for section in PAGE.sections for one in section.entries] + PAGE.types
    linked = {field.kind.name for one in entries for field in one.fields if field.kind.name}
    assert linked == {one.name for one in PAGE.types}


def test_who_sends_and_who_gets_a_frame_is_told() -> None:
    assert entry("command-ride_start").who == "driver"
    assert entry("command-match_confirm").who == "driver or passenger"
    assert entry("message-finder_update").who == "the passenger"
    assert entry("message-location_update").who == "the other party of the current ride"
    assert entry("message-match_confirm").subjects == ["match.confirmed", "match.accepted"]


def test_every_frame_and_error_has_an_example() -> None:
    assert all(one.examples for section in PAGE.sections for one in section.entries)
    assert all(error.examples for error in PAGE.errors)
    assert all(close.example for close in PAGE.closes)


def test_the_page_is_of_the_server_that_shows_it() -> None:
    assert page("https://nebeng.example").address == "wss://nebeng.example/ws/"
    assert document(default_url())["info"]["version"] == PAGE.version
