import asyncio
import time

import pytest

from nebengjek.settings import COMMAND_ID_TTL
from nebengjek_client import ClientClosed, CommandExpired, QueueFull
from nebengjek_client.queue import QUEUE_MAX_AGE, CommandQueue, QueuedCommand


def waiting(queue: CommandQueue) -> list[str]:
    return [command.text.partition('"type":"')[2].partition('"')[0] for command in queue._waiting]


async def outcome(command: QueuedCommand) -> object:
    assert command.answer is not None
    async with asyncio.timeout(5):
        return await command.answer


async def test_commands_keep_their_order_and_stay_until_they_are_settled() -> None:
    queue = CommandQueue()
    first, second = queue.put("a", {}), queue.put("b", {})
    assert await queue.head() is first
    assert await queue.head() is first
    queue.settle(first, {"x": 1})
    assert await outcome(first) == {"x": 1}
    assert await queue.head() is second
    assert first.id != second.id


async def test_the_head_is_waited_for() -> None:
    queue = CommandQueue()
    head = asyncio.create_task(queue.head())
    await asyncio.sleep(0)
    assert not head.done()
    command = queue.put("a", {})
    async with asyncio.timeout(5):
        assert await head is command


async def test_a_bound_keeps_further_commands_out_but_no_position() -> None:
    queue = CommandQueue(size=2)
    queue.put_position("p1")
    commands = [queue.put("a", {}), queue.put("b", {})]
    with pytest.raises(QueueFull, match="2 commands wait"):
        queue.put("c", {})
    queue.put_position("p2")
    queue.remove(commands[0])
    queue.put("d", {})
    assert len(queue) == 3


async def test_of_positions_only_the_latest_waits_behind_what_was_said_before_it() -> None:
    queue = CommandQueue()
    queue.put_position('{"type":"old"}')
    queue.put("a", {})
    queue.put_position('{"type":"new"}')
    queue.put("b", {})
    assert waiting(queue) == ["a", "new", "b"]
    queue.drop_position()
    assert waiting(queue) == ["a", "b"]


async def test_a_command_that_is_too_old_is_not_sent_and_says_whether_it_was() -> None:
    queue = CommandQueue(max_age=0.05)
    unsent, sent = queue.put("a", {}), queue.put("b", {})
    sent.sent = True
    for command, text in ((unsent, "was not sent"), (sent, "may have been carried out")):
        with pytest.raises(CommandExpired, match=text) as caught:
            await outcome(command)
        assert caught.value.sent is command.sent
    assert len(queue) == 0


async def test_a_clock_that_stood_still_while_the_phone_slept_makes_nothing_younger() -> None:
    queue = CommandQueue()
    old, new = queue.put("a", {}), queue.put("b", {})
    old._given_at = time.monotonic(), time.time() - QUEUE_MAX_AGE - 1
    assert await queue.head() is new
    with pytest.raises(CommandExpired):
        await outcome(old)


async def test_the_end_answers_everybody_and_a_late_answer_hurts_nobody() -> None:
    queue = CommandQueue()
    command = queue.put("a", {})
    queue.put_position("p")
    queue.end(ClientClosed("over"))
    with pytest.raises(ClientClosed):
        await outcome(command)
    queue.settle(command, {})
    assert len(queue) == 0


def test_the_server_still_knows_an_id_when_it_is_sent_for_the_last_time() -> None:
    assert COMMAND_ID_TTL.total_seconds() > QUEUE_MAX_AGE + 30
