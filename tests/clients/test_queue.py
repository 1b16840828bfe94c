import asyncio
import json
import time

import pytest

from nebengjek.settings import COMMAND_ID_TTL
from nebengjek_client import ClientClosed, CommandExpired, QueueFull
from nebengjek_client import queue as module
from nebengjek_client.queue import QUEUE_MAX_AGE, CommandQueue, QueuedCommand, QueuedPosition
from tests.patience import within


def waiting(queue: CommandQueue) -> list[str | int]:
    """The types of commands and the latitudes of positions."""
    frames = [json.loads(entry.text) for entry in queue._waiting]
    return [frame["data"].get("latitude", frame["type"]) for frame in frames]


def put_positions(queue: CommandQueue, *latitudes: int) -> None:
    for latitude in latitudes:
        queue.put_position({"latitude": latitude}, keep=True)


async def send(queue: CommandQueue, *latitudes: int) -> None:
    """Note as sent what is at the head."""
    for latitude in latitudes:
        head = await queue.head()
        assert isinstance(head, QueuedPosition)
        assert json.loads(head.text)["data"] == {"latitude": latitude}
        queue.sent(head)


async def outcome(command: QueuedCommand) -> object:
    async with within():
        return await command.answer


async def test_commands_stay_until_settled() -> None:
    """Commands keep their order and stay until they are settled."""
    queue = CommandQueue()
    first, second = queue.put("a", {}), queue.put("b", {})
    assert await queue.head() is first
    assert await queue.head() is first
    queue.settle(first, {"x": 1})
    assert await outcome(first) == {"x": 1}
    assert await queue.head() is second
    assert first.id != second.id


async def test_the_head_is_waited_for() -> None:
    """The sender waits for the first command of the queue."""
    queue = CommandQueue()
    head = asyncio.create_task(queue.head())
    await asyncio.sleep(0)
    assert not head.done()
    command = queue.put("a", {})
    async with within():
        assert await head is command


async def test_bounds_keep_commands_out() -> None:
    """A full queue refuses further commands but no position."""
    queue = CommandQueue(size=2)
    put_positions(queue, 1)
    commands = [queue.put("a", {}), queue.put("b", {})]
    with pytest.raises(QueueFull, match="2 commands wait"):
        queue.put("c", {})
    put_positions(queue, 2)
    queue.remove(commands[0])
    queue.put("d", {})
    assert len(queue) == 4


async def test_only_the_latest_position_waits() -> None:
    """Of positions that are not kept, the latest waits behind the commands before it."""
    queue = CommandQueue()
    queue.put_position({"latitude": 1}, keep=False)
    queue.put("a", {})
    queue.put_position({"latitude": 2}, keep=False)
    queue.put("b", {})
    assert waiting(queue) == ["a", 2, "b"]
    queue.remove(await queue.head())
    position = await queue.head()
    assert isinstance(position, QueuedPosition)
    queue.sent(position)
    queue.send_again()
    assert waiting(queue) == ["b"]


async def test_kept_positions_are_repeated() -> None:
    """Kept positions go out in order, and again until they are confirmed."""
    queue = CommandQueue()
    put_positions(queue, 1, 2)
    queue.put("a", {})
    put_positions(queue, 3)
    await send(queue, 1, 2)
    assert waiting(queue) == ["a", 3]
    queue.send_again()
    assert waiting(queue) == [1, 2, "a", 3]
    await send(queue, 1, 2)
    queue.confirm()
    queue.send_again()
    assert waiting(queue) == ["a", 3]


async def test_the_oldest_positions_make_room() -> None:
    """The oldest positions make room, whether they were sent or not."""
    queue = CommandQueue(positions_max=3)
    put_positions(queue, 1, 2)
    await send(queue, 1)
    queue.put("a", {})
    put_positions(queue, 3, 4)
    queue.send_again()
    assert waiting(queue) == [2, "a", 3, 4]
    await send(queue, 2)
    put_positions(queue, 5, 6)
    queue.send_again()
    assert waiting(queue) == ["a", 4, 5, 6]


async def test_displaced_positions_are_not_kept() -> None:
    """A position that made room while it was sent is not kept after all."""
    queue = CommandQueue(positions_max=1)
    put_positions(queue, 1)
    first = await queue.head()
    assert isinstance(first, QueuedPosition)
    put_positions(queue, 2)
    queue.sent(first)
    queue.send_again()
    assert waiting(queue) == [2]


async def test_positions_ask_for_confirmation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A position asks for a confirmation when one has waited for long."""
    queue = CommandQueue()
    put_positions(queue, 1, 2)
    await send(queue, 1)
    head = await queue.head()
    assert isinstance(head, QueuedPosition)
    assert not queue.asks_for_confirmation(head)
    monkeypatch.setattr(module, "CONFIRM_INTERVAL", 0)
    assert queue.asks_for_confirmation(head)
    assert not queue.asks_for_confirmation(QueuedPosition({}, kept=False))
    queue.confirm()
    assert not queue.asks_for_confirmation(head)
    assert json.loads(head.text_with("x")) == {"type": "location_update", "data": {"latitude": 2}, "id": "x"}


async def test_old_positions_are_dropped() -> None:
    """Positions that are too old are dropped."""
    queue = CommandQueue(max_age=0)
    put_positions(queue, 1)
    old = queue.put("a", {})
    with pytest.raises(CommandExpired):
        await outcome(old)
    await send(queue, 1)


async def test_old_commands_expire() -> None:
    """A command that is too old fails and says whether it was sent."""
    queue = CommandQueue(max_age=0.05)
    unsent, sent = queue.put("a", {}), queue.put("b", {})
    sent.sent = True
    for command, text in ((unsent, "was not sent"), (sent, "may have been carried out")):
        with pytest.raises(CommandExpired, match=text) as caught:
            await outcome(command)
        assert caught.value.sent is command.sent
    assert len(queue) == 0


async def test_sleeping_phones_age_commands() -> None:
    """A clock that stood still while the phone slept makes nothing younger."""
    queue = CommandQueue()
    old, new = queue.put("a", {}), queue.put("b", {})
    old._given_at = time.monotonic(), time.time() - QUEUE_MAX_AGE - 1
    assert await queue.head() is new
    with pytest.raises(CommandExpired):
        await outcome(old)


async def test_closing_answers_everybody() -> None:
    """Closing fails all waiting commands, and a late answer does no harm."""
    queue = CommandQueue()
    put_positions(queue, 1, 2)
    await send(queue, 1)
    command = queue.put("a", {})
    queue.end(ClientClosed("over"))
    with pytest.raises(ClientClosed):
        await outcome(command)
    queue.settle(command, {})
    queue.send_again()
    assert len(queue) == 0


def test_ids_outlive_repetitions() -> None:
    """The server still knows an id when a command is sent for the last time."""
    assert COMMAND_ID_TTL.total_seconds() > QUEUE_MAX_AGE + 30
