from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.errors import Unauthorized
from realtime.delivery.history import Cursor
from realtime.socket.session_ready import limits, parse_resume, read_state, ready_frame
from rides.services.payments import payment_process
from rides.snapshots import BeaconState, FinderState
from tests.cast import arrive, stand_by
from users.models import User
from users.tokens import Claims


@pytest.mark.parametrize(
    ("query", "resume"),
    [
        (b"resume=abc_-9:42", Cursor("abc_-9", 42)),
        (b"a=1&resume=abc%3A0&b=2", Cursor("abc", 0)),
        (b"resume=abc:1&resume=x", Cursor("abc", 1)),
        (b"", None),
        (b"resume=", None),
        (b"resume=abc", None),
        (b"resume=abc:", None),
        (b"resume=:1", None),
        (b"resume=abc:-1", None),
        (b"resume=abc:1.5", None),
        (b"resume=abc:1:2", None),
        (b"resume=abc:" + b"9" * 19, None),
        (b"resume=" + b"a" * 65 + b":1", None),
        (b"resume=a b:1", None),
        (b"resume=\xff:1", None),
        ("resume=abc:\u0661".encode(), None),
        (b"a=1&" * 5000, None),
        (b"a=%zz&%", None),
    ],
)
def test_a_resume_is_read_or_ignored(query: bytes, resume: Cursor | None) -> None:
    assert parse_resume(query) == resume


def claims(user: User, ver: int = 0) -> Claims:
    return Claims(user_id=user.pk, role=user.role, exp=9e9, ver=ver)


def test_the_state_is_only_for_who_may_still_be_here(putri: User) -> None:
    assert read_state(claims(putri))[0].finder == FinderState(is_active=False)
    with pytest.raises(Unauthorized):
        read_state(claims(putri, ver=1))


def test_the_frame_has_the_fields_of_the_contract(putri: User) -> None:
    state, _ride = read_state(claims(putri))
    raw = ready_frame(claims(putri), UUID(int=5), "epoch", 7, recovered=True, state=state)
    frame = msgspec.to_builtins(raw)
    assert frame["type"] == "session_ready"
    data = frame["data"]
    assert data.pop("server_time").endswith("Z")
    assert data == {
        "user_id": str(putri.pk),
        "role": "passenger",
        "connection_id": str(UUID(int=5)),
        "epoch": "epoch",
        "seq": 7,
        "recovered": True,
        "state": msgspec.to_builtins(state),
        "limits": msgspec.to_builtins(limits()),
    }
    rates = {"command_rate", "command_burst", "location_rate"}
    assert set(data["limits"]) == {"max_message_size", *rates, "location_max_age"}
    assert data["limits"]["location_max_age"] == 60


def test_the_state_costs_few_statements(dewi: User, putri: User, tono: User, django_assert_num_queries: Any) -> None:
    """One statement for who has nothing; what there is costs one more each, within a snapshot."""
    with django_assert_num_queries(1):
        read_state(claims(tono))
    ride = arrive(dewi, putri, tracked_km=1)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=3000, status="ACCEPTED")
    with CaptureQueriesContext(connection) as found:
        assert read_state(claims(putri))[0].last_ride is not None
    selects = [query["sql"] for query in found if query["sql"].startswith("SELECT")]
    assert len(selects) == 3  # the facts twice, and the newest rides with their matches
    stand_by(dewi)
    with CaptureQueriesContext(connection) as found:
        assert read_state(claims(dewi))[0].beacon == BeaconState(is_active=True)
    assert len([query for query in found if query["sql"].startswith("SELECT")]) == 3
