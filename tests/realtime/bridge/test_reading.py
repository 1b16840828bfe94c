"""What a message must be like to be delivered; its reply subject tells what NATS knows of it."""

import json
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.msg import Msg

from common.examples import example_of
from events.base import Event
from events.signature import SIGNATURE_HEADER, signature_of
from events.stream import ID_HEADER, MAX_PAYLOAD, TYPE_HEADER, VALID_UNTIL_HEADER, VIEWS_HEADER
from realtime.bridge.reading import MAX_TEXT, Incoming, Pair, Unreadable, claimed_id, events_by_subject, read_message
from rides.events import EVENTS
from rides.geo import GeoPoint

DEWI, PUTRI = UUID(int=1), UUID(int=2)
PAIR = {"driver_id": str(DEWI), "passenger_id": str(PUTRI)}
SUBJECTS = sorted(events_by_subject())

TEXTS: dict[Any, list[Any]] = {UUID: ["m-1", "", "ü"], float: [0, -1.5, 2**70], int: [0, -3], str: ["", "ü"]}
BY_NAME: dict[str, tuple[list[Any], list[Any]]] = {
    **dict.fromkeys(Pair.__struct_fields__, ([str(DEWI), DEWI.hex], ["dewi", 7, None, ""])),
    "qr_code_url": (["https://pay.example/1"], [7, {}, None]),
}
WRONG: dict[Any, list[Any]] = {UUID: [7, [], None], float: ["7", True, None], int: [1.5, "7", None], str: [7, {}, None]}


def message(payload: object, subject: str = "match.found", headers: dict[str, str] | None = None) -> Msg:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    reply = "$JS.ACK.NEBENGJEK.bridge.1.7.7.1700000000000000000.0"
    return Msg(Client(), subject, reply, data, headers)


def read(payload: object, subject: str = "match.found", **headers: str) -> Incoming:
    item = read_message(message(payload, subject, headers), "S:1")
    assert item is not None
    return item


def ours(**more: str) -> dict[str, str]:
    return {ID_HEADER: str(uuid4()), TYPE_HEADER: "match_proposal", **more}


def signed(headers: dict[str, str], payload: object = None, subject: str = "match.found") -> dict[str, str]:
    return {**headers, SIGNATURE_HEADER: signature_of(subject, json.dumps(payload or PAIR).encode(), headers)}


def without_range(kind: Any) -> Any:
    """Return a type without what the documents say of its range: of other services only the type is checked."""
    return get_args(kind)[0] if get_origin(kind) is Annotated and get_args(kind)[0] is not datetime else kind


def good_and_wrong(name: str, kind: Any) -> tuple[list[Any], list[Any]]:
    """Return what a field of this type may be, and what not."""
    kind = without_range(kind)
    origin = get_origin(kind)
    if name in BY_NAME:
        return BY_NAME[name]
    if origin in (Union, UnionType):
        good, wrong = good_and_wrong(name, next(option for option in get_args(kind) if option is not type(None)))
        return [*good, None], [value for value in wrong if value is not None]
    if origin is Annotated:  # a moment
        return ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+07:00"], ["2026-01-31T12:00:00", "today", 7, None]
    if origin is Literal:
        kind = str
    if kind is GeoPoint:
        good = [{"latitude": -6.2, "longitude": 106}, {"latitude": 90, "longitude": -180, "street": "Jl."}]
        return good, [
            {"latitude": 91, "longitude": 0},
            {"latitude": 0, "longitude": 181},
            {"latitude": 0},
            [],
            "0,0",
            None,
        ]
    if isinstance(kind, type) and issubclass(kind, Event):
        return [{}, {"status": "?", "x": 1}], [[], None, "x", {"driver_id": "dewi"}]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        TEXTS[kind], WRONG[kind] = [example_of(kind), {**example_of(kind), "x": 1}], [[], None, "x", 7]
    return TEXTS[kind], WRONG[kind]


FIELDS = [
    pytest.param(subject, field.name, *good_and_wrong(field.name, field.type), id=f"{subject} {field.name}")
    for subject, event in sorted(events_by_subject().items())
    for field in msgspec.structs.fields(event)
]


@pytest.mark.parametrize(("subject", "name", "good", "wrong"), FIELDS)
def test_known_fields_are_checked_by_type(subject: str, name: str, good: list[Any], wrong: list[Any]) -> None:
    for value in good:
        assert read({**PAIR, name: value}, subject).delivery.data == json.dumps({**PAIR, name: value}).encode()
    for value in wrong:
        with pytest.raises(Unreadable, match=rf"not of the contract: .* - at `\$\.{name}"):
            read({**PAIR, name: value}, subject)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_field_may_be_missing_and_the_pair_is_told(subject: str) -> None:
    item = read(PAIR, subject)
    assert item.delivery.audience == {DEWI: None, PUTRI: None}
    assert (item.delivery.event_id, item.subject) == ("S:1:7:1700000000.000000", subject)
    assert item.delivery.type == events_by_subject()[subject].type
    assert (item.is_ours, item.delivery.valid_until) == (False, None)


def test_all_that_is_kept_in_the_stream_is_bridged_and_nothing_else() -> None:
    kept = [event.subject for event in EVENTS if event.subject.split(".")[0] in ("match", "ride", "payment")]
    assert sorted(kept) == SUBJECTS
    for subject in ("ride.rated", "match.found.again", "user.beacon", "match"):
        assert read_message(message(b"not json", subject), "S:1") is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.text().map(lambda name: f"x_{name}"), values, max_size=5),
    st.booleans(),
    st.sampled_from([None, 2]),
)
def test_unknown_fields_are_passed_on_byte_by_byte(
    unknown: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    payload = json.dumps({**unknown, **PAIR}, ensure_ascii=ascii_only, indent=indent).encode()
    assert read(payload).delivery.data == payload


@given(st.binary(max_size=50) | st.text().map(str.encode) | values.map(lambda value: json.dumps(value).encode()))
def test_whatever_it_is_it_can_be_read_or_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        read(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"match"',
        b"{'driver_id': 1}",
        b"\xef\xbb\xbf{}",
        b'{"x": NaN}',
        b'{"x": "a\nb"}',
        b'{"x": 01}',
        b"{} {}",
        b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
)
def test_what_is_no_json_object_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable, match="not of the contract"):
        read(payload)


@pytest.mark.parametrize(
    ("payload", "audience"),
    [
        ({"driver_id": str(DEWI)}, [DEWI]),
        ({"passenger_id": str(PUTRI)}, [PUTRI]),
        ({"driver_id": str(DEWI), "passenger_id": str(DEWI)}, [DEWI]),
        ({"driver_id": DEWI.hex.upper()}, [DEWI]),
    ],
)
def test_those_are_told_whom_the_message_names(payload: dict[str, str], audience: list[UUID]) -> None:
    assert list(read(payload).delivery.audience) == audience


def test_of_a_completed_ride_those_are_told_whom_the_ride_names() -> None:
    assert list(read({"ride": PAIR}, "ride.completed").delivery.audience) == [DEWI, PUTRI]
    both = {"driver_id": str(DEWI), "ride": {"passenger_id": str(PUTRI)}}
    assert list(read(both, "ride.completed").delivery.audience) == [DEWI, PUTRI]
    with pytest.raises(Unreadable, match="no audience"):
        read({"payment": {"payment_id": "p"}}, "ride.completed")
    with pytest.raises(Unreadable, match="no audience"):
        read({"ride": PAIR}, "ride.arrived")  # only of a completed one


def test_a_message_for_nobody_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="no audience: neither driver_id nor passenger_id"):
        read({"match_id": "m-1", "user_id": str(DEWI)})


def test_a_payload_has_a_limit() -> None:
    empty = len(json.dumps({**PAIR, "x": ""}))
    assert read({**PAIR, "x": "x" * (MAX_PAYLOAD - empty)})
    with pytest.raises(Unreadable, match=f"the payload has {MAX_PAYLOAD + 1} bytes; at most {MAX_PAYLOAD}"):
        read({**PAIR, "x": "x" * (MAX_PAYLOAD - empty + 1)})


def test_ours_says_who_it_is_and_who_sees_what() -> None:
    headers = ours(**{VIEWS_HEADER: json.dumps({str(PUTRI): {"n": "ü"}, str(DEWI): None})})
    item = read(PAIR, **signed(headers))
    assert item.is_ours
    assert item.delivery.event_id == headers[ID_HEADER]
    assert {user: json.loads(view or b"null") for user, view in item.delivery.audience.items()} == {
        PUTRI: {"n": "ü"},
        DEWI: None,
    }


def test_an_id_of_another_service_is_not_taken_for_one_of_ours() -> None:
    assert read(PAIR, **{ID_HEADER: str(uuid4())}).delivery.event_id == "S:1:7:1700000000.000000"


def test_a_message_may_have_an_end() -> None:
    """Whether it has come is for the clock of the store to say."""
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    item = read(PAIR, **signed(ours(**{VALID_UNTIL_HEADER: moment.isoformat()})))
    assert item.delivery.valid_until == moment.timestamp()


@pytest.mark.parametrize(
    "headers",
    [
        {VALID_UNTIL_HEADER: "soon"},
        {VALID_UNTIL_HEADER: ""},
        {VALID_UNTIL_HEADER: "2026-01-31T12:00:00"},
        {VIEWS_HEADER: "{"},
        {VIEWS_HEADER: ""},
        {VIEWS_HEADER: "[]"},
        {VIEWS_HEADER: '{"dewi": null}'},
        {VIEWS_HEADER: '{"00000000-0000-0000-0000-000000000001": [1]}'},
    ],
)
def test_headers_that_make_no_sense_are_unreadable(headers: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match="not of the contract"):
        read(PAIR, **signed(ours(**headers)))


def test_an_unsigned_message_is_ours_where_its_id_is_believed() -> None:
    """The bridge believes ids that it has found in the outbox; only of messages that claim to be ours."""
    headers = ours()
    unsigned = message(PAIR, headers=headers)
    assert claimed_id(unsigned) == headers[ID_HEADER]
    assert claimed_id(message(PAIR, headers=signed(headers))) is None
    assert claimed_id(message(PAIR)) is None
    read_as = [read_message(unsigned, "S:1", believed) for believed in ((), [headers[ID_HEADER]], [str(uuid4())])]
    assert [item is not None and item.is_ours for item in read_as] == [False, True, False]


@pytest.mark.parametrize(
    "change",
    [
        {ID_HEADER: "01990000-0000-7000-8000-000000000009"},
        {TYPE_HEADER: "ride_pickup"},
        {VIEWS_HEADER: json.dumps({str(DEWI): {"n": 2}})},
        {VALID_UNTIL_HEADER: "2031-01-01T00:00:00Z"},
        {SIGNATURE_HEADER: ""},
        {SIGNATURE_HEADER: "0" * 64},
        {SIGNATURE_HEADER: "ü"},
    ],
    ids=str,
)
def test_a_signature_is_of_one_message_only(change: dict[str, str]) -> None:
    """Who has read one of ours cannot put its signature on another id, type, view or end."""
    good = signed(ours(**{VIEWS_HEADER: json.dumps({str(DEWI): {"n": 1}})}))
    assert read(PAIR, **good).is_ours
    assert not read(PAIR, **{**good, **change}).is_ours


def test_a_signature_is_of_one_payload_and_subject_only() -> None:
    """Neither may what it says change, nor where it is said."""
    good = signed(ours())
    assert not read({**PAIR, "match_id": "m-2"}, **good).is_ours
    assert not read(PAIR, "match.accepted", **good).is_ours


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example/", "", "HTTPS:evil", "ftp://x"]
)
def test_an_address_of_another_service_is_of_a_page(url: str) -> None:
    """Clients open it, so it has to be http."""
    with pytest.raises(Unreadable, match="qr_code_url is no http address"):
        read({**PAIR, "qr_code_url": url}, "payment.processed")
    with pytest.raises(Unreadable, match="qr_code_url is no http address"):
        read({**PAIR, "payment": {"qr_code_url": url}}, "ride.completed")
    for good in ("https://pay.example/1", "http://127.0.0.1:8000/x.svg"):
        assert read({**PAIR, "qr_code_url": good}, "payment.processed")


def test_a_known_text_of_another_service_has_a_length() -> None:
    """Phones show it, so it is no longer than a text of ours might be; unknown fields have the payload's limit."""
    for name in ("match_id", "match_status"):
        assert read({**PAIR, name: "x" * MAX_TEXT})
        with pytest.raises(Unreadable, match=f"{name} has {MAX_TEXT + 1} characters"):
            read({**PAIR, name: "x" * (MAX_TEXT + 1)})
    assert read({**PAIR, "note": "x" * (MAX_TEXT + 1)})


@pytest.mark.parametrize(
    "headers", [ours(), {}, {TYPE_HEADER: "match_proposal"}, {TYPE_HEADER: "x", ID_HEADER: "mine"}]
)
def test_nobody_elses_message_passes_for_one_of_ours(headers: dict[str, str]) -> None:
    views = {VIEWS_HEADER: '{"00000000-0000-0000-0000-000000000009": {"n": 1}}'}
    item = read(PAIR, **headers, **views)
    assert not item.is_ours
    assert item.delivery.event_id == "S:1:7:1700000000.000000"
    assert set(map(str, item.delivery.audience)) == {PAIR["driver_id"], PAIR["passenger_id"]}


def test_known_fields_can_be_used() -> None:
    item = read({**PAIR, "match_id": "m-1", "location": {"latitude": -6.1, "longitude": 106.8}})
    fields: Any = item.fields
    assert (fields.match_id, fields.location) == ("m-1", GeoPoint(-6.1, 106.8))
    assert fields.distance_km is msgspec.UNSET
