import json
from datetime import UTC, datetime
from typing import Any, get_type_hints
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from nebengjek_client import Limits, Match, Payment, Ride, Session, State
from nebengjek_client.frames import decode, encode, given
from realtime.contract import frames as protocol
from realtime.contract.messages import UserState
from realtime.socket.session_ready import limits
from rides.events import MatchSnapshot, PaymentSnapshot
from rides.snapshots import RideCard
from tests.realtime.phone import Phone
from users.models import User

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # with single surrogates
ID = UUID("11111111-2222-3333-4444-555555555555")


def test_the_server_reads_our_frames() -> None:
    """A frame is one that the server reads."""
    frame = protocol.decode_frame(encode("ride_cancel", {"ride_id": ID, "reason": "hujan ☔"}, "1"))
    command = msgspec.json.decode(frame.data, type=protocol.RideCancel)
    assert (frame.type, frame.id, command.ride_id, command.reason) == ("ride_cancel", "1", ID, "hujan ☔")
    assert encode("sync", {}) == '{"type":"sync","data":{}}'


def test_values_are_checked() -> None:
    """Times need a time zone, and numbers must be finite."""
    assert "2030-01-01T00:00:00+00:00" in encode("x", {"timestamp": datetime(2030, 1, 1, tzinfo=UTC)})
    with pytest.raises(TypeError, match="no time zone"):
        encode("x", {"timestamp": datetime(2030, 1, 1)})  # noqa: DTZ001
    with pytest.raises(TypeError, match="cannot be put into a frame"):
        encode("x", {"timestamp": object()})
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode("x", {"latitude": float("nan")})


@given_any(st.recursive(ANY_TEXT | st.integers() | st.none(), lambda inner: st.dictionaries(ANY_TEXT, inner)))
def test_any_text_is_read_or_refused_at_once(value: Any) -> None:
    """What the server could not answer by its id would hold up all commands behind it."""
    try:
        text = encode("ride_cancel", {"reason": value}, "c-1")
    except ValueError:
        with pytest.raises(UnicodeEncodeError):
            json.dumps(value, ensure_ascii=False).encode()
        return
    frame = protocol.decode_frame(text)
    assert frame.id == "c-1"
    assert json.loads(bytes(frame.data)) == {"reason": value}


def test_bad_frames_are_noted(caplog: pytest.LogCaptureFixture) -> None:
    """What is no frame is logged and passed over."""
    for text in ("{", "[]", '{"type": 1, "data": {}}', '{"type": "x"}', b"\xff"):
        assert decode(text) is None
    assert caplog.text.count("Not a frame") == 5
    assert decode('{"type": "x", "data": {}, "later": 1}') == {"type": "x", "data": {}, "later": 1}


def test_only_none_is_left_out() -> None:
    """Fields that are not given are left out; false and zero are sent."""
    assert given(a=None, b=False, c=0, d="") == {"b": False, "c": 0, "d": ""}


@pytest.mark.parametrize(("kind", "struct"), [(Ride, RideCard), (Match, MatchSnapshot), (Payment, PaymentSnapshot)])
def test_types_have_the_servers_fields(kind: type, struct: type[Any]) -> None:
    """The types have the fields of the server."""
    assert set(get_type_hints(kind)) == set(struct.__struct_fields__)


def test_state_has_the_servers_fields() -> None:
    """The state has the fields of the server."""
    assert set(get_type_hints(State)) == set(UserState.__struct_fields__)
    assert set(get_type_hints(Limits)) == set(limits().__struct_fields__)


@pytest.mark.django_db(transaction=True)
async def test_session_has_the_servers_fields(dewi: User) -> None:
    """A session has the fields of the server."""
    phone = await Phone.of(dewi)
    assert set(get_type_hints(Session)) == set(phone.ready)
    await phone.hang_up()
