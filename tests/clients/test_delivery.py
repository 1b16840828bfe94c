import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from nebengjek_client import CommandTooLarge, InternalError
from nebengjek_client import delivery as module
from nebengjek_client.connection import Connection, ConnectionLost
from nebengjek_client.delivery import deliver
from nebengjek_client.frames import encode
from nebengjek_client.queue import CommandQueue, QueuedCommand
from tests.clients.script import OnFrame, Script, ScriptedServer, ack_all, scripted_server, until


@asynccontextmanager
async def delivering(
    queue: CommandQueue, on_frame: OnFrame = ack_all, max_size: int = 0
) -> AsyncIterator[tuple[ScriptedServer, asyncio.Task[None]]]:
    """Deliver what is in the queue to a server."""

    async def read() -> None:
        async for _ in connection.frames():
            pass

    async with scripted_server(on_frame) as server:
        connection = await Connection.open(server.url, "", None, None)
        connection.max_size = max_size
        reader = asyncio.create_task(read())
        work = asyncio.create_task(deliver(queue, connection))
        yield server, work
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await connection.close()
        await reader


async def answer_to(command: QueuedCommand) -> dict[str, Any]:
    assert command.answer is not None
    async with asyncio.timeout(5):
        return await command.answer


def kinds(server: ScriptedServer) -> list[str]:
    return [frame["type"] for frame in server.frames]


async def test_commands_go_out_in_order_with_positions_among_them() -> None:
    queue = CommandQueue()
    first = queue.put("a", {})
    queue.put_position(encode("location_update", {}))
    second = queue.put("b", {})
    async with delivering(queue) as (server, _):
        assert [await answer_to(first), await answer_to(second)] == [{}, {}]
        third = queue.put("c", {})
        await answer_to(third)
    assert kinds(server) == ["a", "location_update", "b", "c"]
    assert [("id" in frame) for frame in server.frames] == [True, False, True, True]


async def test_over_the_rate_a_command_is_sent_again_with_its_id_and_those_behind_it_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def limit(script: Script, frame: dict[str, Any]) -> None:
        seen.append(frame["type"])
        if seen.count("a") < 3:
            data = {"code": "RATE_LIMIT", "message": "slow down", "retry_after": 0.01}
            await script.say("error", data, id=frame["id"])
        else:
            await ack_all(script, frame)

    monkeypatch.setattr(module, "RATE_LIMIT_WAIT", 0.02)
    seen: list[str] = []
    queue = CommandQueue()
    first, second = queue.put("a", {}), queue.put("b", {})
    async with delivering(queue, limit) as (server, _):
        await answer_to(second)
        await answer_to(first)
    assert kinds(server) == ["a", "a", "a", "b"]
    assert len({frame["id"] for frame in server.frames}) == 2


async def test_any_other_error_is_the_answer() -> None:
    async def fail(script: Script, frame: dict[str, Any]) -> None:
        await script.say("error", {"code": "INTERNAL_ERROR", "message": "Internal server error"}, id=frame["id"])

    queue = CommandQueue()
    commands = [queue.put("a", {}), queue.put("b", {})]
    async with delivering(queue, fail):
        for command in commands:
            with pytest.raises(InternalError):
                await answer_to(command)
    assert len(queue) == 0


async def test_what_is_too_large_is_left_out_and_the_rest_goes_on() -> None:
    queue = CommandQueue()
    large, small = queue.put("a", {"reason": "x" * 200}), queue.put("b", {})
    queue.put_position(encode("location_update", {"x": "x" * 200}))
    async with delivering(queue, max_size=100) as (server, _):
        with pytest.raises(CommandTooLarge):
            await answer_to(large)
        await answer_to(small)
        await until(lambda: len(queue) == 0)
    assert kinds(server) == ["b"]


async def test_what_has_no_answer_stays_and_goes_out_again_on_the_next_connection() -> None:
    async def hang_up(script: Script, frame: dict[str, Any]) -> None:
        await script.socket.close(1012)

    queue = CommandQueue()
    command = queue.put("a", {"n": 1})
    async with delivering(queue, hang_up) as (first, work):
        with pytest.raises(ConnectionLost):
            await work
    assert command.sent
    async with delivering(queue) as (second, _):
        await answer_to(command)
    assert first.frames == second.frames
