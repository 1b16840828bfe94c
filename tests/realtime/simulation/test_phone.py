"""The simulated phone against a real socket whose other end says what the test wants."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from realtime.simulation.phone import Phone, Refused

TOKENS = itertools.count(1)
Script = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


async def talk(socket: ServerConnection, **frame: Any) -> None:
    await socket.send(json.dumps(frame))


async def log_in() -> str:
    """A new token each time."""
    return f"token {next(TOKENS)}"


@asynccontextmanager
async def phone_to(script: Script) -> AsyncIterator[tuple[Phone, list[dict[str, Any]]]]:
    """Connect a phone to a server that answers each frame by the script; yield it with what it was told."""
    told: list[dict[str, Any]] = []

    async def handle(socket: ServerConnection) -> None:
        await talk(socket, type="session_ready", data={"server_time": "2030-01-01T00:00:00Z", "state": {}})
        async for text in socket:
            await script(socket, json.loads(text))

    async with serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        phone = Phone("test", f"ws://127.0.0.1:{port}/ws/", log_in, told.append, lambda *_: None)
        await phone.open()
        yield phone, told
        await phone.close()


async def test_who_is_told_to_stop_stops_even_as_the_answer_arrives() -> None:
    async def script(socket: ServerConnection, frame: dict[str, Any]) -> None:
        await talk(socket, type="ack", data={}, id=frame["id"])

    async with phone_to(script) as (phone, _):
        asking = asyncio.create_task(phone.do("sync"))

        def stop_as_it_arrives(_name: str, direction: str, _frame: dict[str, Any]) -> None:
            if direction == "<-":
                asking.cancel()

        phone._log = stop_as_it_arrives
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_an_answer_finds_its_command_and_the_rest_is_told() -> None:
    async def script(socket: ServerConnection, frame: dict[str, Any]) -> None:
        await talk(socket, type="ride_start", data={}, seq=1)
        await talk(socket, type="ack", data={"a": 1}, id=frame["id"])

    async with phone_to(script) as (phone, told):
        assert await phone.do("sync") == {"a": 1}
        assert [frame["type"] for frame in told] == ["ride_start"]
        assert len(phone.latencies) == 1
        assert phone.now().startswith("20")
        assert phone.clock_offset.days > 300
    assert told[-1]["type"] == "closed"


async def test_a_refusal_is_raised_with_its_code() -> None:
    async def script(socket: ServerConnection, frame: dict[str, Any]) -> None:
        await talk(socket, type="error", data={"code": "VALIDATION_FAILED", "message": "no"}, id=frame["id"])

    async with phone_to(script) as (phone, _):
        with pytest.raises(Refused, match="VALIDATION_FAILED: no") as caught:
            await phone.do("ride_start", ride_id="x")
        assert caught.value.code == "VALIDATION_FAILED"


async def test_a_command_over_the_rate_is_sent_again() -> None:
    seen: list[str] = []

    async def script(socket: ServerConnection, frame: dict[str, Any]) -> None:
        seen.append(frame["type"])
        if len(seen) < 3:
            data = {"code": "RATE_LIMIT", "message": "slow down", "retry_after": 0.01}
            await talk(socket, type="error", data=data, id=frame["id"])
        else:
            await talk(socket, type="ack", data={}, id=frame["id"])

    async with phone_to(script) as (phone, _):
        await phone.do("finder_update", is_active=False)
    assert seen == ["finder_update"] * 3


async def test_a_lost_connection_ends_what_waits() -> None:
    async def script(socket: ServerConnection, frame: dict[str, Any]) -> None:
        await socket.close(4409)

    async with phone_to(script) as (phone, told):
        with pytest.raises(ConnectionError, match="test lost the connection"):
            await phone.do("sync")
        assert told == [{"type": "closed", "data": {"code": 4409}}]


async def test_a_token_that_expires_is_replaced_by_a_fresh_one() -> None:
    async def script(socket: ServerConnection, frame: dict[str, Any]) -> None:
        if frame["type"] == "sync":
            await talk(socket, type="token_expiring", data={"expires_at": "2030-01-01T00:01:00Z"})
            await talk(socket, type="ack", data={}, id=frame["id"])
        else:
            await talk(socket, type="ack", data={}, id=frame["id"])
            refreshed.set_result((socket.request.headers["Authorization"] if socket.request else "", frame))

    refreshed: asyncio.Future[tuple[str, dict[str, Any]]] = asyncio.get_running_loop().create_future()
    async with phone_to(script) as (phone, _):
        await phone.do("sync")
        async with asyncio.timeout(5):
            first, frame = await refreshed
    assert (frame["type"], f"Bearer {frame['data']['token']}" != first) == ("token_refresh", True)
