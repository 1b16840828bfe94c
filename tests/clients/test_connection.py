import asyncio
from typing import Any

import pytest

from nebengjek_client import CommandTooLarge
from nebengjek_client import connection as module
from nebengjek_client.connection import Connection, ConnectionLost, socket_url
from nebengjek_client.frames import encode
from tests.clients.script import Script, http_server, scripted_server


async def read(connection: Connection) -> list[dict[str, Any]]:
    return [frame async for frame in connection.frames()]


def test_the_socket_of_a_site() -> None:
    """The address of the socket follows from that of the site."""
    assert socket_url("https://example.org/") == "wss://example.org/ws/"
    assert socket_url("http://localhost:8000") == "ws://localhost:8000/ws/"


async def test_tokens_go_into_the_header() -> None:
    """The token goes into a header, the place to resume at into the query."""
    async with scripted_server() as server:
        for resume in (None, "e-1:7"):
            await (await Connection.open(server.url, "secret", resume, None)).close()
        assert [(script.path, script.token) for script in server.connections] == [
            ("/ws/", "secret"),
            ("/ws/?resume=e-1:7", "secret"),
        ]


async def test_answers_find_their_commands() -> None:
    """An answer finds its command and all else is read."""

    async def answer(script: Script, frame: dict[str, Any]) -> None:
        await script.say("ride_start", {}, seq=1)
        await script.say("ack", {"for": frame["id"]}, id=frame["id"])
        await script.say("ack", {}, id="of nobody")
        await script.socket.send("no frame")

    seen: list[tuple[str, str]] = []
    async with scripted_server(answer) as server:
        connection = await Connection.open(server.url, "", None, lambda way, frame: seen.append((way, frame["type"])))
        reader = asyncio.create_task(read(connection))
        answers = await asyncio.gather(*(connection.ask(encode("sync", {}, name), name) for name in "ab"))
        await connection.close()
        frames = await reader
    assert [found["data"]["for"] for found in answers] == ["a", "b"]
    assert [frame["type"] for frame in frames] == ["session_ready", "ride_start", "ride_start"]
    assert [kind for way, kind in seen if way == "->"] == ["sync", "sync"]
    assert [kind for way, kind in seen if way == "<-"].count("ack") == 4
    assert connection.code == 1000


async def test_cancelling_beats_an_answer() -> None:
    """A task that is cancelled just as its answer arrives is cancelled."""
    async with scripted_server() as server:
        asking: asyncio.Task[Any]

        def stop_as_it_arrives(direction: str, frame: dict[str, Any]) -> None:
            if direction == "<-" and frame["type"] == "ack":
                asking.cancel()

        connection = await Connection.open(server.url, "", None, stop_as_it_arrives)
        reader = asyncio.create_task(read(connection))
        asking = asyncio.create_task(connection.ask(encode("sync", {}, "1"), "1"))
        with pytest.raises(asyncio.CancelledError):
            await asking
        await connection.close()
        await reader


async def test_an_end_fails_all_commands() -> None:
    """The end of a connection fails waiting commands and those that follow."""

    async def leave(script: Script, frame: dict[str, Any]) -> None:
        await script.socket.close(4409, "replaced")

    async with scripted_server(leave) as server:
        connection = await Connection.open(server.url, "", None, None)
        reader = asyncio.create_task(read(connection))
        with pytest.raises(ConnectionLost, match="replaced"):
            await connection.ask(encode("sync", {}, "1"), "1")
        await reader
        with pytest.raises(ConnectionLost):
            await connection.send(encode("sync", {}))
        assert (connection.code, connection.reason) == (4409, "replaced")
        await connection.close()


async def test_unanswered_connections_are_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which no answer comes is dead."""

    async def silence(script: Script, frame: dict[str, Any]) -> None:
        pass

    monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.05)
    async with scripted_server(silence) as server:
        connection = await Connection.open(server.url, "", None, None)
        reader = asyncio.create_task(read(connection))
        with pytest.raises(ConnectionLost, match="No answer came"):
            await connection.ask(encode("sync", {}, "1"), "1")
        await reader
        assert connection.code == 1006
        await connection.close()


async def test_large_frames_are_not_sent() -> None:
    """A frame that is too large is not sent."""
    async with scripted_server() as server:
        connection = await Connection.open(server.url, "", None, None)
        connection.max_size = 100
        with pytest.raises(CommandTooLarge, match="takes 100"):
            await connection.send(encode("ride_cancel", {"reason": "é" * 40}))
        await connection.close()
        assert server.frames == []


async def test_traces_show_no_token() -> None:
    """Traced frames show no token."""
    seen: list[dict[str, Any]] = []
    async with scripted_server() as server:
        connection = await Connection.open(server.url, "", None, lambda _, frame: seen.append(frame))
        await connection.send(encode("token_refresh", {"token": "secret"}, "1"))
        await connection.close()
    assert seen[0] == {"type": "token_refresh", "data": {"token": "…"}, "id": "1"}


async def test_a_refused_handshake_says_how(caplog: pytest.LogCaptureFixture) -> None:
    """A refused handshake says how."""
    async with http_server((429, {}, "Retry-After: 8"), (599, {})) as server:
        with pytest.raises(ConnectionLost, match="429 Too Many Requests") as caught:
            await Connection.open(server.url, "secret", None, None)
        assert (caught.value.status, caught.value.retry_after) == (429, 8)
        with pytest.raises(ConnectionLost, match="599"):
            await Connection.open(server.url, "secret", None, None)
    with pytest.raises(ConnectionLost, match=r"ws://127\.0\.0\.1:1/ws/: ") as caught:
        await Connection.open("http://127.0.0.1:1", "secret", "e:1", None)
    assert caught.value.status is None
    assert "secret" not in str(caught.value) + caplog.text
