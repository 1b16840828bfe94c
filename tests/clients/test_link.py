"""What comes of frames and connections, with a server that does what servers seldom do."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nebengjek_client import Client, ConnectionEnded
from nebengjek_client import link as module
from tests.clients.people import Told
from tests.clients.script import SESSION, Script, ack_all, http_server, scripted_server
from tests.patience import until, within


async def test_it_resumes_without_repeating() -> None:
    """It resumes at the highest `seq` and drops what it has passed on before."""

    async def tell(script: Script) -> None:
        if script.number == 1:
            await script.greet(seq=4)
            for seq in (5, 6, 5, 6, 7):
                await script.say("ride_start", {}, seq=seq)
            await script.socket.close(1012)
        else:
            await script.greet(seq=7, recovered=True)
            for seq in (7, 8):
                await script.say("ride_start", {}, seq=seq)

    async with scripted_server(on_open=tell) as server:
        client = Client(server.url, "a")
        told = Told(client)
        async with client:
            await until(lambda: told.numbers == [5, 6, 7, 8])
        assert [script.path for script in server.connections] == ["/ws/", "/ws/?resume=e1:7"]


async def test_new_states_restart_the_count() -> None:
    """A new state says where the count goes on, at any time."""

    async def tell(script: Script, frame: dict[str, Any]) -> None:
        await script.greet(epoch="e2", seq=2, state={"allowed_actions": []})
        await script.say("ride_start", {}, seq=3)
        await ack_all(script, frame)

    async def begin(script: Script) -> None:
        await script.greet(seq=900, state={"allowed_actions": ["sync"]})

    async with scripted_server(tell, begin) as server:
        client = Client(server.url, "a")
        told = Told(client)
        async with client:
            assert client.state["allowed_actions"] == ["sync"]
            await client.sync()
            assert (client.state["allowed_actions"], told.numbers) == ([], [3])
            assert client.session["epoch"] == "e2"
            await client.sync()
            assert len(server.connections) == 1


async def test_its_clock_is_the_servers() -> None:
    """Its clock is that of the server."""
    async with scripted_server() as server, Client(server.url, "a") as client:
        expected = datetime.fromisoformat(SESSION["server_time"])
        assert abs((client.now() - expected).total_seconds()) < 10
        assert client.now().tzinfo == UTC


async def test_late_sessions_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a session in time a connection is given up."""

    async def hesitate(script: Script) -> None:
        if script.number > 1:
            await script.greet()

    monkeypatch.setattr(module, "SESSION_TIMEOUT", 0.05)
    async with scripted_server(on_open=hesitate) as server:
        client = Client(server.url, "a")
        told = Told(client)
        async with client:
            assert told.types == ["disconnected", "session_ready"]
            await asyncio.sleep(0.1)  # it has a session, so there is no hurry any more
            assert client.connected
        assert len(server.connections) == 2


async def test_new_tokens_bypass_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """New tokens are sent beside the queue, and not too often."""
    held: list[tuple[Script, dict[str, Any]]] = []
    refreshed: list[str] = []

    async def answer(script: Script, frame: dict[str, Any]) -> None:
        if frame["type"] != "token_refresh":
            held.append((script, frame))
            return
        refreshed.append(frame["data"]["token"])
        await ack_all(script, frame)
        await script.say("token_expiring", {"expires_at": "2030-01-01T00:00:00Z"})

    async def begin(script: Script) -> None:
        await script.greet()
        await script.say("token_expiring", {"expires_at": "2030-01-01T00:00:00Z"})

    monkeypatch.setattr(module, "RENEWAL_INTERVAL", 0.2)
    away = (503, "away")
    answers = [(200, {"access": f"a{n}", "refresh": f"r{n}"}) for n in range(2, 20)]
    async with http_server(away, *answers) as http, scripted_server(answer, begin) as server:
        client = Client(server.url, "a1", "r1")
        client.rest._url = http.url
        async with client:
            begun = asyncio.get_running_loop().time()
            waiting = asyncio.create_task(client.ride_start(ride_id="1"))
            await until(lambda: len(refreshed) == 3)
            assert asyncio.get_running_loop().time() - begun > 0.4
            assert not waiting.done()
            assert client.access in ("a4", "a5")
            await ack_all(*held[0])
            await waiting
    assert refreshed == ["a2", "a3", "a4"]
    assert [body["refresh"] for body in http.bodies[:4]] == ["r1", "r1", "r2", "r3"]


async def test_failed_renewals_keep_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where tokens cannot be renewed the connection stays until its end."""

    async def begin(script: Script) -> None:
        await script.greet()
        await script.say("token_expiring", {"expires_at": "2030-01-01T00:00:00Z"})

    refused = (401, {"code": "UNAUTHORIZED", "message": "Authentication required"})
    async with http_server(refused) as http, scripted_server(on_open=begin) as server:
        client = Client(server.url, "a1", "r1")
        client.rest._url = http.url
        async with client:
            await until(lambda: "could not be refreshed" in caplog.text)
            await client.sync()
            assert client.connected


async def test_closing_ends_a_token_refresh() -> None:
    """`token_refresh` does not wait for an answer when the client is closed."""

    async def silence(script: Script, frame: dict[str, Any]) -> None:
        pass

    async with scripted_server(silence) as server, Client(server.url, "a") as client:
        showing = asyncio.create_task(client.token_refresh(token="b"))
        await until(lambda: server.frames)
        await client.aclose()
        async with within():
            assert await showing == {}


async def test_late_sessions_keep_the_clock() -> None:
    """A late session does not set the clock back; a device clock that was set does."""

    async def greet(script: Script) -> None:
        ahead = {1: 60, 2: 59.5, 3: 60.5, 4: 30}[script.number]
        await script.greet(role="passenger", server_time=(datetime.now(UTC) + timedelta(seconds=ahead)).isoformat())

    async def hang_up(script: Script, frame: dict[str, Any]) -> None:
        await script.socket.close(1012)

    async with scripted_server(hang_up, greet) as server, Client(server.url, "a") as client:
        offsets = [client._link.clock_offset]
        for connection in (2, 3, 4):
            seen = client.subscribe("session_ready")
            await client.location_update(latitude=1, longitude=1)
            async with within():
                await anext(seen)
            offsets.append(client._link.clock_offset)
            assert len(server.connections) == connection
    assert offsets[1] == offsets[0]
    assert [round(offset.total_seconds()) for offset in offsets[2:]] == [60, 30]
    assert offsets[2] > offsets[0]


async def test_refused_frames_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A refused frame is passed to listeners and logged."""

    async def refuse(script: Script, frame: dict[str, Any]) -> None:
        await script.say("error", {"code": "VALIDATION_FAILED", "message": "latitude: too far"})

    async with scripted_server(refuse) as server, Client(server.url, "a") as client:
        errors = client.subscribe("error")
        await client.location_update(latitude=95, longitude=0)
        assert (await anext(errors)).data["code"] == "VALIDATION_FAILED"
    assert "latitude: too far" in caplog.text


async def test_own_faults_end_the_client(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of the client itself ends it and leaves nobody waiting."""

    async def nonsense(script: Script, frame: dict[str, Any]) -> None:
        await script.say("server_restarting", {})

    async with scripted_server(nonsense) as server, Client(server.url, "a") as client:
        with pytest.raises(ConnectionEnded, match="A fault of the client: KeyError"):
            await client.sync()
    assert "A fault of the client." in caplog.text
