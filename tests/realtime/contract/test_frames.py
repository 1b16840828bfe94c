import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.errors import RateLimited, Unauthorized, ValidationFailed
from common.examples import examples_of
from realtime.commands.dispatch import read_command, route_of
from realtime.commands.routes import ROUTES
from realtime.contract import frames as protocol
from realtime.contract.frames import BadFrame, decode_frame

UUID_TEXT = "00000000-0000-4000-8000-000000000001"
PLACE = {"latitude": -6.2, "longitude": 106.8}
RELEASED: dict[str, dict[str, Any]] = {
    "location_update": {**PLACE, "timestamp": "2026-01-31T12:00:00+07:00", "accuracy": 5, "speed": 1.5, "heading": 360},
    "beacon_update": {"is_active": True, **PLACE},
    "finder_update": {
        "is_active": True,
        "location": PLACE,
        "target_location": PLACE,
    },
    "match_confirm": {"match_id": UUID_TEXT, "accepted": False},
    "ride_start": {"ride_id": UUID_TEXT, **PLACE, "pin": "0471"},
    "ride_arrived": {"ride_id": UUID_TEXT, "adjustment_factor": 0.5},
    "payment_process": {"ride_id": UUID_TEXT, "total_cost": 3000, "status": "ACCEPTED"},
    "ride_cancel": {"ride_id": UUID_TEXT, "reason": "rain"},
    "token_refresh": {"token": "a.b.c"},
    "sync": {},
}
"""What clients of version 0.1.0 send."""

GOOD = {kind: max(examples_of(route.command).values(), key=len) for kind, route in ROUTES.items()} | RELEASED
REQUIRED = {
    kind: {field.name for field in msgspec.structs.fields(route.command) if field.required}
    for kind, route in ROUTES.items()
}
OTHER_TYPES = [None, True, 5, -0.5, "text", "", [], {}, [1], {"a": 1}, 1e300, "\u0000", 2**70]


def command(frame_type: str, data: Any) -> protocol.Command:
    frame = decode_frame(json.dumps({"type": frame_type, "data": data}))
    route = route_of(frame)
    return read_command(route, next(iter(route.roles)), frame)


@pytest.mark.parametrize("frame_type", RELEASED)
def test_no_command_needs_more_than_when_it_was_released(frame_type: str) -> None:
    """What outside clients send stays enough."""
    assert REQUIRED[frame_type] <= set(RELEASED[frame_type])


@pytest.mark.parametrize("frame_type", GOOD)
def test_a_good_command_is_read_and_unknown_fields_are_ignored(frame_type: str) -> None:
    read = command(frame_type, {**GOOD[frame_type], "colour": "red"})
    assert isinstance(read, ROUTES[frame_type].command)


@pytest.mark.parametrize(("frame_type", "field"), [(t, f) for t, fields in REQUIRED.items() for f in sorted(fields)])
def test_a_missing_field_is_named(frame_type: str, field: str) -> None:
    data = {name: value for name, value in GOOD[frame_type].items() if name != field}
    with pytest.raises(ValidationFailed, match=f"^{field}: is required") as caught:
        command(frame_type, data)
    assert caught.value.field == field


@pytest.mark.parametrize(("frame_type", "field"), [(t, f) for t, data in GOOD.items() for f in data])
def test_a_field_of_another_type_is_named_or_harmless(frame_type: str, field: str) -> None:
    refused = 0
    for value in OTHER_TYPES:
        try:
            command(frame_type, {**GOOD[frame_type], field: value})
        except ValidationFailed as exc:
            assert exc.field is not None
            assert exc.field.split(".")[0] == field
            assert exc.message.startswith(field)
            refused += 1
    assert refused >= 6


@pytest.mark.parametrize(
    ("frame_type", "data", "reason"),
    [
        ("location_update", {"latitude": 90.1, "longitude": 0}, "latitude: expected `float` <= 90.0."),
        ("location_update", {"latitude": 0, "longitude": -180.1}, "longitude: expected `float` >= -180.0."),
        ("location_update", {**PLACE, "timestamp": "2026-01-31T12:00:00"}, "timestamp: expected `datetime` with"),
        ("location_update", {**PLACE, "timestamp": "0001-01-01T00:00:00+23:59"}, "timestamp: must lie between"),
        ("location_update", {**PLACE, "accuracy": -1}, "accuracy: expected `float` >= 0.0."),
        ("finder_update", {"is_active": True, "location": {"latitude": 1}}, "location.longitude: is required."),
        ("finder_update", {"is_active": True, "location": {"latitude": 99, "longitude": 1}}, "location.latitude: exp"),
        ("match_confirm", {"match_id": "x", "accepted": True}, "match_id: invalid UUID."),
        ("ride_arrived", {"ride_id": UUID_TEXT, "adjustment_factor": 1.01}, "adjustment_factor: expected `float` <="),
        ("payment_process", {"ride_id": UUID_TEXT, "total_cost": 1.5, "status": "ACCEPTED"}, "total_cost: expected"),
        ("payment_process", {"ride_id": UUID_TEXT, "total_cost": 1, "status": "PENDING"}, "status: invalid enum value"),
        ("ride_cancel", {"ride_id": UUID_TEXT, "reason": "x" * 201}, "reason: expected `str` of length <= 200."),
    ],
)
def test_a_bad_value_is_told_with_its_limit(frame_type: str, data: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        command(frame_type, data)
    assert caught.value.message.startswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ('{"type": "sync", "data": {}} x', "not valid JSON"),
        ('{"type": "sync", "data": {"x": NaN}}', "not valid JSON"),
        ('{"type": "sync", "data": "\\ud800"}', "not valid JSON"),
        ("[" * 5000, "not valid JSON"),
        ('{"type": "sync", "data": ' + "[" * 5000, "not valid JSON"),
        ("[]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('"sync"', "must be a JSON object"),
        ("{}", "type: is required"),
        ('{"type": "sync"}', "data: is required"),
        ('{"type": 5, "data": {}}', "type: expected `str`, got `int`"),
        ('{"type": "sync", "data": []}', "data: must be an object"),
        ('{"type": "sync", "data": null}', "data: must be an object"),
        ('{"type": "sync", "data": {}, "id": ""}', "id: expected `str` of length >= 1"),
        ('{"type": "sync", "data": {}, "id": null}', "id: expected `str`, got `null`"),
        ('{"type": "sync", "data": {}, "id": 5}', "id: expected `str`, got `int`"),
        ('{"type": "sync", "data": {}, "id": "%s"}' % ("x" * 65), "id: expected `str` of length <= 64"),
        ('{"type": "sync", "data": {}, "id": "a\\u0000b"}', "id: expected `str` matching"),
    ],
)
def test_what_is_not_the_envelope_is_told_why(text: str, reason: str) -> None:
    with pytest.raises(BadFrame) as caught:
        decode_frame(text)
    assert reason in caught.value.error.message
    assert caught.value.command_id is None


@pytest.mark.parametrize("rest", ['"type": 5, "data": {}', '"data": {}', '"type": "sync"', '"type": "sync", "data": 5'])
def test_the_clients_id_comes_back_wherever_it_can_be_read(rest: str) -> None:
    with pytest.raises(BadFrame) as caught:
        decode_frame('{"id": "mine", %s}' % rest)
    assert caught.value.command_id == "mine"


def test_an_unknown_type_is_told_back() -> None:
    with pytest.raises(BadFrame, match=r"^unknown message type: teleport$") as caught:
        route_of(decode_frame('{"type": "teleport", "data": {}, "id": "1"}'))
    assert caught.value.command_id == "1"


def test_who_may_not_send_a_command_hears_nothing_about_its_fields() -> None:
    frame = decode_frame('{"type": "beacon_update", "data": {"is_active": "nonsense"}}')
    with pytest.raises(Unauthorized) as caught:
        read_command(route_of(frame), "passenger", frame)
    assert caught.value.client_message == "Authentication required"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(sorted({name for data in GOOD.values() for name in data}))


@example(b'{"type":"\x80"')
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_at_all_break_the_reader(raw: bytes) -> None:
    try:
        decode_frame(raw)
    except BadFrame as exc:
        assert exc.error.message


@given(st.sampled_from(sorted(GOOD)), st.dictionaries(field_names, json_values, max_size=4), st.data())
def test_no_fields_at_all_break_the_reader(frame_type: str, changes: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps({"type": frame_type, "data": {**GOOD[frame_type], **changes}})
    try:
        frame = decode_frame(text)
        read_command(route_of(frame), next(iter(ROUTES[frame_type].roles)), frame)
    except (BadFrame, ValidationFailed) as exc:
        assert str(exc)


def test_answers_have_the_form_of_the_contract() -> None:
    assert protocol.ack("1") == {"type": "ack", "data": {}, "id": "1"}
    assert protocol.error(ValidationFailed("no", field="x"), "2") == {
        "type": "error",
        "data": {"code": "VALIDATION_FAILED", "message": "no", "field": "x"},
        "id": "2",
    }
    assert protocol.error(RateLimited("slow", retry_after=1.23456)) == {
        "type": "error",
        "data": {"code": "RATE_LIMIT", "message": "slow", "retry_after": 1.235},
    }
    assert protocol.error(Unauthorized("why"))["data"]["message"] == "Authentication required"


def test_a_notification_is_put_together_from_encoded_data() -> None:
    head = protocol.notification_head("ride_start", msgspec.json.encode({"a": 1}))
    frame = protocol.numbered(head, 7)
    assert json.loads(frame) == {"type": "ride_start", "data": {"a": 1}, "seq": 7}
    assert protocol.type_of(frame) == "ride_start"


@pytest.mark.parametrize("letter", ["a", "\u0e01", "\U0001f6f5"], ids=["Latin", "Thai", "emoji"])
def test_a_reason_of_the_promised_bytes_fits(letter: str) -> None:
    """In any script, with the longest id, into a frame of the default size; the server takes it."""
    reason = letter * min(200, protocol.REASON_BYTES // len(letter.encode()))
    data = {"ride_id": str(uuid4()), "reason": reason}
    text = json.dumps({"type": "ride_cancel", "data": data, "id": "i" * 64}, ensure_ascii=False)
    assert len(text.encode()) <= 512
    frame = protocol.decode_frame(text)
    assert frame.command_id == "i" * 64
    assert msgspec.json.decode(frame.data, type=protocol.RideCancel).reason == reason
