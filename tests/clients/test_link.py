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


async def test_it_resumes_at_the_highest_number_and_drops_what_it_has_told() -> None:
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


async def test_a_new_state_counts_from_where_it_says_at_any_time() -> None:
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


async def test_its_clock_is_that_of_the_server() -> None:
    async with scripted_server() as server, Client(server.url, "a") as client:
        expected = datetime.fromisoformat(SESSION["server_time"])
        assert abs((client.now() - expected).total_seconds()) < 10
        assert client.now().tzinfo == UTC


async def test_without_a_session_in_time_a_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_new_tokens_are_shown_beside_the_queue_and_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_tokens_that_cannot_be_renewed_leave_the_connection_to_its_last_moment(
    caplog: pytest.LogCaptureFixture,
) -> None:
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


async def test_who_shows_a_token_as_the_client_is_closed_does_not_wait_for_an_answer() -> None:
    async def silence(script: Script, frame: dict[str, Any]) -> None:
        pass

    async with scripted_server(silence) as server, Client(server.url, "a") as client:
        showing = asyncio.create_task(client.token_refresh(token="b"))
        await until(lambda: server.frames)
        await client.aclose()
        async with within():
            assert await showing == {}


async def test_a_session_that_came_late_does_not_set_the_clock_back_but_a_clock_that_was_set_does() -> None:
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


async def test_a_refused_frame_is_told_and_noted(caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(script: Script, frame: dict[str, Any]) -> None:
        await script.say("error", {"code": "VALIDATION_FAILED", "message": "latitude: too far"})

    async with scripted_server(refuse) as server, Client(server.url, "a") as client:
        errors = client.subscribe("error")
        await client.location_update(latitude=95, longitude=0)
        assert (await anext(errors)).data["code"] == "VALIDATION_FAILED"
    assert "latitude: too far" in caplog.text


async def test_a_fault_of_its_own_ends_it_and_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    async def nonsense(script: Script, frame: dict[str, Any]) -> None:
        await script.say("server_restarting", {})

    async with scripted_server(nonsense) as server, Client(server.url, "a") as client:
        with pytest.raises(ConnectionEnded, match="A fault of the client: KeyError"):
            await client.sync()
    assert "A fault of the client." in caplog.text
