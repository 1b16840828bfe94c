"""`session_ready`: who one is, where the stream of notifications stands, and the complete state."""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
from django.conf import settings

from common import clock
from realtime.commands.routes import allowed_actions
from realtime.contract.frames import unnumbered
from realtime.contract.messages import Limits, RoleName, SessionReady, UserState
from realtime.delivery.history import Cursor
from rides.selectors import CurrentRide, ride_in_state, ride_is_abandoned, user_facts, user_state
from users.tokens import Claims, check_account

MAX_QUERY = 4096
"""Bytes of a query string that are looked at."""

_RESUME = re.compile(r"([A-Za-z0-9_-]{1,64}):([0-9]{1,18})")


def parse_resume(query_string: bytes) -> Cursor | None:
    """Return the last that a client has seen, by its own word; None where that is missing or cannot be read.

    It is `?resume=<epoch>:<seq>` in the query of the handshake.
    """
    values = parse_qs(query_string[:MAX_QUERY].decode("latin-1")).get("resume", [])
    found = _RESUME.fullmatch(values[0]) if values else None
    return Cursor(found[1], int(found[2])) if found else None


def limits() -> Limits:
    """Return what a client must keep to, for `session_ready.limits`; 0 is no limit."""
    return Limits(
        max_message_size=settings.WS_MAX_MESSAGE_SIZE,
        command_rate=settings.WS_COMMAND_RATE,
        command_burst=settings.WS_COMMAND_BURST,
        location_rate=settings.WS_LOCATION_RATE,
        location_max_age=settings.LOCATION_MAX_AGE.total_seconds(),
    )


def read_state(claims: Claims) -> tuple[UserState, CurrentRide | None]:
    """Return the state of a token's user, and the ride that their positions belong to.

    Raises `Unauthorized` when the token has been revoked meanwhile.
    """
    facts = user_facts(claims.user_id, claims.role)
    check_account(claims, facts.account if facts else None)
    assert facts is not None
    state = user_state(claims.user_id, claims.role, facts)
    ride = state.ride if state.ride is not None and state.ride.status == "ONGOING" else None
    is_abandoned = ride is not None and ride_is_abandoned(ride.ride_id, claims.user_id)
    actions = allowed_actions(claims.role, state, is_abandoned=is_abandoned)
    full = UserState(**msgspec.structs.asdict(state), allowed_actions=actions)
    return full, ride_in_state(claims.user_id, state)


def ready_frame(
    claims: Claims, connection_id: UUID, epoch: str, seq: int, *, recovered: bool, state: UserState
) -> dict[str, Any]:
    """Return the frame `session_ready`."""
    message = SessionReady(
        user_id=claims.user_id,
        role=cast("RoleName", claims.role),
        connection_id=connection_id,
        epoch=epoch,
        seq=seq,
        recovered=recovered,
        server_time=clock.now(),
        state=state,
        limits=limits(),
    )
    return unnumbered(message)
