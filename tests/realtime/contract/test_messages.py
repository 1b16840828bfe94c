from datetime import UTC, datetime
from uuid import UUID

import msgspec

from common.errors import ErrorCode
from realtime.contract.frames import unnumbered
from realtime.contract.messages import MESSAGES, Error, LocationRelayed

A = UUID(int=1)


def test_the_messages_are_those_of_the_contract() -> None:
    assert [message.type for message in MESSAGES] == [
        "session_ready", "location_update", "token_expiring", "server_restarting", "ack", "error",
    ]  # fmt: skip
    assert all(message.__doc__ for message in MESSAGES)


def test_an_error_has_field_and_time_only_where_they_help() -> None:
    bare = Error(code=ErrorCode.INTERNAL_ERROR, message="no")
    assert msgspec.to_builtins(bare) == {"code": "INTERNAL_ERROR", "message": "no"}
    limited = Error(code=ErrorCode.RATE_LIMIT, message="no", retry_after=0.0)
    assert msgspec.to_builtins(limited)["retry_after"] == 0


def test_a_message_becomes_a_frame_without_a_number() -> None:
    when = datetime(2026, 1, 31, 12, tzinfo=UTC)
    frame = unnumbered(LocationRelayed(ride_id=A, user_id=A, latitude=1, longitude=2, timestamp=when))
    assert msgspec.to_builtins(frame) == {
        "type": "location_update",
        "data": {
            "ride_id": str(A),
            "user_id": str(A),
            "latitude": 1,
            "longitude": 2,
            "timestamp": "2026-01-31T12:00:00Z",
        },
    }
