import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from nebengjek_client import CommandTooLarge, InternalError
from nebengjek_client import delivery as module
from nebengjek_client import queue as queue_module
from nebengjek_client.connection import Connection, ConnectionLost
from nebengjek_client.delivery import POSITIONS_BURST, POSITIONS_PER_SHOWN, PositionPace, Refused, deliver
from nebengjek_client.queue import CommandQueue, QueuedCommand
from realtime.socket.rate_limits import LOCATION_FACTOR, CommandLimit
from tests.clients.script import OnFrame, Script, ScriptedServer, ack_all, scripted_server
from tests.patience import TIMEOUT, until, within


def ignore(_: Any) -> None:
    """Whoever is told nothing."""


@asynccontextmanager
async def delivering(
    queue: CommandQueue,
    on_frame: OnFrame = ack_all,
    *,
    max_size: int = 0,
    location_rate: float = 0,
    refused: Refused = ignore,
) -> AsyncIterator[tuple[ScriptedServer, asyncio.Task[None]]]:
    """Deliver what is in the queue to a server."""

    async def read() -> None:
        async for _ in connection.frames():
            pass

    async with scripted_server(on_frame) as server:
        connection = await Connection.open(server.url, "", None, None)
        connection.max_size, connection.location_rate = max_size, location_rate
        reader = asyncio.create_task(read())
        work = asyncio.create_task(deliver(queue, connection, refused))
        yield server, work
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await connection.close()
        await reader


async def answer_to(command: QueuedCommand) -> dict[str, Any]:
    async with within():
        return await command.answer


def kinds(server: ScriptedServer) -> list[str]:
    return [frame["type"] for frame in server.frames]


async def test_positions_go_out_among_commands() -> None:
    """Commands go out in order with positions among them."""
    queue = CommandQueue()
    first = queue.put("a", {})
    queue.put_position({}, keep=True)
    second = queue.put("b", {})
    async with delivering(queue) as (server, _):
        assert [await answer_to(first), await answer_to(second)] == [{}, {}]
        third = queue.put("c", {})
        await answer_to(third)
    assert kinds(server) == ["a", "location_update", "b", "c"]
    assert [("id" in frame) for frame in server.frames] == [True, False, True, True]


async def test_rate_limited_commands_are_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command over the rate is sent again with its id, and those behind it wait."""

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
    """Any other error is the answer."""

    async def fail(script: Script, frame: dict[str, Any]) -> None:
        await script.say("error", {"code": "INTERNAL_ERROR", "message": "Internal server error"}, id=frame["id"])

    queue = CommandQueue()
    commands = [queue.put("a", {}), queue.put("b", {})]
    async with delivering(queue, fail):
        for command in commands:
            with pytest.raises(InternalError):
                await answer_to(command)
    assert len(queue) == 0


async def test_large_commands_are_left_out() -> None:
    """A command that is too large fails, and the rest goes on."""
    queue = CommandQueue()
    large, small = queue.put("a", {"reason": "x" * 200}), queue.put("b", {})
    queue.put_position({"x": "x" * 200}, keep=True)
    async with delivering(queue, max_size=100) as (server, _):
        with pytest.raises(CommandTooLarge):
            await answer_to(large)
        await answer_to(small)
        await until(lambda: len(queue) == 0)
    assert kinds(server) == ["b"]


async def test_unanswered_commands_are_repeated() -> None:
    """A command without an answer goes out again on the next connection."""

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


# --- positions ---


def put_positions(queue: CommandQueue, *latitudes: int) -> None:
    for latitude in latitudes:
        queue.put_position({"latitude": latitude}, keep=True)


def latitudes(server: ScriptedServer) -> list[int]:
    return [frame["data"]["latitude"] for frame in server.frames if frame["type"] == "location_update"]


def answering(answers: dict[str, dict[str, Any]]) -> OnFrame:
    """Answer commands of these types with an error, all others with `ack`."""

    async def answer(script: Script, frame: dict[str, Any]) -> None:
        if frame["type"] in answers and "id" in frame:
            await script.say("error", {"message": "", **answers[frame["type"]]}, id=frame["id"])
        else:
            await ack_all(script, frame)

    return answer


async def test_unconfirmed_positions_go_first() -> None:
    """On the next connection unconfirmed positions go out before everything else."""
    queue = CommandQueue()
    put_positions(queue, 1, 2)
    async with delivering(queue) as (first, _):
        await until(lambda: latitudes(first) == [1, 2])
    command = queue.put("a", {})
    put_positions(queue, 3)
    async with delivering(queue) as (second, _):
        await answer_to(command)
        await until(lambda: latitudes(second) == [1, 2, 3])
    assert kinds(second) == ["location_update", "location_update", "a", "location_update"]
    async with delivering(queue) as (third, _):
        await until(lambda: latitudes(third) == [3])  # the answer to the command confirmed the others


@pytest.mark.parametrize(
    ("kind", "error", "confirmed"),
    [
        ("a", None, True),
        ("a", "VALIDATION_FAILED", True),
        ("a", "UNAUTHORIZED", True),
        ("a", "INVALID_FORMAT", False),
        ("a", "INTERNAL_ERROR", False),
        ("sync", None, False),
    ],
)
async def test_answers_confirm_earlier_positions(kind: str, error: str | None, confirmed: bool) -> None:
    """An answer before which the server saves positions confirms those positions."""
    queue = CommandQueue()
    put_positions(queue, 1)
    command = queue.put(kind, {})
    async with delivering(queue, answering({"a": {"code": error}} if error else {})):
        await asyncio.wait([command.answer], timeout=TIMEOUT)
    assert (command.answer.exception() is None) == (error is None)
    queue.send_again()
    assert len(queue) == (0 if confirmed else 1)


async def test_some_positions_ask_for_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Now and then a position asks for an answer, which confirms those before it."""
    queue = CommandQueue()
    put_positions(queue, 1, 2)
    async with delivering(queue) as (server, _):
        await until(lambda: latitudes(server) == [1, 2])
        monkeypatch.setattr(queue_module, "CONFIRM_INTERVAL", 0)
        put_positions(queue, 3, 4)
        await until(lambda: latitudes(server) == [1, 2, 3, 4])
    assert [("id" in frame) for frame in server.frames] == [False, False, True, False]
    async with delivering(queue) as (server, _):
        await until(lambda: latitudes(server) == [4])


@pytest.mark.parametrize(("code", "left"), [("VALIDATION_FAILED", [1]), ("INTERNAL_ERROR", [1, 2])])
async def test_refused_positions_confirm_nothing(monkeypatch: pytest.MonkeyPatch, code: str, left: list[int]) -> None:
    """A refused position is reported and confirms nothing."""
    monkeypatch.setattr(queue_module, "CONFIRM_INTERVAL", 0)
    queue, told = CommandQueue(), list[dict[str, Any]]()
    put_positions(queue, 1, 2)
    async with delivering(queue, answering({"location_update": {"code": code}}), refused=told.append):
        await until(lambda: told)
    assert [data["code"] for data in told] == [code]
    async with delivering(queue) as (server, _):
        await until(lambda: latitudes(server) == left)


async def test_rate_limited_positions_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A position over the rate is sent again."""

    async def limit(script: Script, frame: dict[str, Any]) -> None:
        if "id" in frame and not asked:
            asked.append(frame["id"])
            await script.say("error", {"code": "RATE_LIMIT", "message": "", "retry_after": 0.01}, id=frame["id"])
        else:
            await ack_all(script, frame)

    asked: list[str] = []
    monkeypatch.setattr(queue_module, "CONFIRM_INTERVAL", 0)
    queue = CommandQueue()
    put_positions(queue, 1, 2, 3)
    async with delivering(queue, limit) as (server, _):
        await until(lambda: latitudes(server) == [1, 2, 2, 3])


async def test_backlogs_are_paced() -> None:
    """A backlog is paced and commands keep their place."""
    queue = CommandQueue()
    put_positions(queue, *range(60))
    command = queue.put("a", {})
    async with delivering(queue, location_rate=1) as (server, _):
        await until(lambda: latitudes(server))
        begun = asyncio.get_running_loop().time()
        await answer_to(command)
        assert asyncio.get_running_loop().time() - begun > 1  # ten over the burst, of five a second
    assert kinds(server) == ["location_update"] * 60 + ["a"]


def test_the_pace_is_half_the_limit(settings: Any) -> None:
    """Positions go out at half of the server's rate; a rate of 0 is no limit."""
    settings.WS_LOCATION_RATE = 5
    assert POSITIONS_PER_SHOWN * 2 == LOCATION_FACTOR
    pace, limit = PositionPace(settings.WS_LOCATION_RATE), CommandLimit(uuid.uuid4())
    sent = sum(not pace.take() for _ in range(300))
    assert POSITIONS_BURST * POSITIONS_PER_SHOWN * settings.WS_LOCATION_RATE <= sent < 300
    for _ in range(2 * POSITIONS_BURST * POSITIONS_PER_SHOWN * settings.WS_LOCATION_RATE):
        limit.take_location()
    assert [PositionPace(0).take() for _ in range(5000)] == [0] * 5000
