"""When a connection must give way."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from realtime.socket.connections import Beat
from realtime.socket.session_guard import SessionGuard
from users.presence import Presence
from users.tokens import Claims

A = UUID(int=1)


class Socket:
    """Records what it is told to do."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.restarting = False
        self.scope: dict[str, Any] = {}

    async def close_with(self, code: int) -> None:
        self.done.append(int(code))

    async def restart(self, reconnect_after: float) -> None:
        self.done.append("restart")


class Stream:
    """Is at number 5 of the epoch `e`."""

    claims = Claims(user_id=A, role="driver", exp=9e9, ver=3)

    def is_behind(self, epoch: str, head: int) -> bool:
        return (epoch, head) != ("e", 5)


@pytest.fixture
def guard() -> SessionGuard:
    """The guard of session 7."""
    presence = Presence(connection_id=uuid4(), user_id=A, role="driver", session=7)
    reminders: list[dict[str, Any]] = []

    async def remind(message: dict[str, Any]) -> None:
        reminders.append(message)

    made = SessionGuard(Socket(), presence, Stream(), remind)  # type: ignore[arg-type]
    vars(made)["reminders"] = reminders
    return made


def reminders(guard: SessionGuard) -> list[dict[str, Any]]:
    """What it put behind the waiting messages."""
    found: list[dict[str, Any]] = vars(guard)["reminders"]
    return found


async def test_only_newer_sessions_replace(guard: SessionGuard) -> None:
    """An older session, or its own announcement, changes nothing."""
    for session in (6, 7):
        await guard.replace({"session": session})
    assert guard.socket.done == []
    await guard.replace({"session": 8})
    assert guard.socket.done == [4409]


async def test_only_newer_versions_revoke(guard: SessionGuard) -> None:
    """A token of the current version stays."""
    await guard.revoke({"token_version": 3})
    assert guard.socket.done == []
    await guard.revoke({"token_version": 4})
    assert guard.socket.done == [4401]


async def test_staff_ends_one_connection(guard: SessionGuard) -> None:
    """Only the connection that is named restarts."""
    await guard.disconnect({"connection": str(uuid4())})
    assert guard.socket.done == []
    await guard.disconnect({"connection": str(guard.presence.connection_id)})
    assert guard.socket.done == ["restart"]


async def test_heartbeats_repeat_lost_news(guard: SessionGuard) -> None:
    """A newer session counts before a gap; where nothing was lost nothing is said."""
    await guard.heartbeat(Beat(7, "e", 5))
    await guard.notice_version(3)
    assert reminders(guard) == []
    await guard.heartbeat(Beat(9, "e", 6))
    await guard.heartbeat(Beat(7, "e", 6))
    await guard.notice_version(4)
    assert reminders(guard) == [
        {"type": "session.replace", "session": 9},
        {"type": "history.check", "epoch": "e", "head": 6},
        {"type": "session.revoke", "token_version": 4},
    ]


def test_silence_is_what_the_server_measures(guard: SessionGuard) -> None:
    """A server that does not measure it ends silent connections by itself."""
    assert guard.silence() == 0.0
    guard.socket.scope["state"] = {"silence": lambda: 30.0}
    assert guard.silence() == 30.0
