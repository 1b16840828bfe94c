import asyncio
import random

import pytest

from realtime.server.waiting import Gate, Inbox


@pytest.mark.parametrize("seed", range(20))
async def test_an_inbox_loses_nothing_and_keeps_the_order(seed: int) -> None:
    """Whoever writes and reads when, and however often the reader is cancelled while waiting."""
    rng, inbox = random.Random(seed), Inbox()
    found: list[int] = []

    async def read() -> None:
        while len(found) < 50:
            found.append((await inbox.get())["n"])

    reader = asyncio.create_task(read())
    for n in range(50):
        inbox.put_nowait({"n": n})
        if rng.random() < 0.5:
            await asyncio.sleep(0)
        if rng.random() < 0.3:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            reader = asyncio.create_task(read())
    await reader
    assert found == list(range(50))
    assert inbox.empty()


async def test_an_inbox_that_is_empty_makes_one_wait() -> None:
    inbox = Inbox()
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    assert not reader.done()
    inbox.put_nowait({"type": "websocket.receive"})
    assert not inbox.empty()
    assert await reader == {"type": "websocket.receive"}
    assert inbox.empty()


async def test_all_who_wait_pass_when_a_gate_opens() -> None:
    """Also if it is closed at once, and if some have given up."""
    gate = Gate()
    assert gate.is_set()
    await gate.wait()
    gate.clear()
    waiting = [asyncio.create_task(gate.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    assert not any(task.done() for task in waiting)
    gate.set()
    gate.clear()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert [task.cancelled() for task in waiting] == [False, True, False]
    assert not gate.is_set()
