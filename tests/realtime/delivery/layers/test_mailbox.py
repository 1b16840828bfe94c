import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.delivery.layers.mailbox import Mailbox, Message
from tests.patience import within

keys = st.sampled_from([None, None, "dewi", "joko"])
steps = st.lists(st.one_of(keys, st.just("take")), max_size=60)


def message(n: int, key: str | None = None) -> Message:
    return {"type": "t", "n": n} if key is None else {"type": "p", "n": n, "latest": key}


async def play(capacity: int, actions: list[str | None]) -> tuple[list[Any], list[Any]]:
    """Put and take as told; return what came out, and what should have."""
    mailbox, waiting, found, expected = Mailbox(capacity), list[Message](), list[Any](), list[Any]()
    for n, action in enumerate(actions):
        if action == "take":
            if waiting:
                expected.append(waiting.pop(0))
                found.append(mailbox.take())
            continue
        new = message(n, action)
        same = next((old for old in waiting if action is not None and old.get("latest") == action), None)
        has_room = action is not None or sum("latest" not in old for old in waiting) < capacity
        if same is not None:
            same.update(new)
        elif has_room:
            waiting.append(dict(new))
        found.append(mailbox.put(new))
        expected.append(has_room)
    found += mailbox.messages
    return found, expected + waiting


@given(st.integers(1, 4), steps)
def test_messages_come_out_as_they_went_in_bounded_and_positions_only_as_the_latest(
    capacity: int, actions: list[str | None]
) -> None:
    found, expected = asyncio.run(play(capacity, actions))
    assert found == expected


async def test_there_is_room_again_when_something_was_taken() -> None:
    mailbox = Mailbox(1)
    assert mailbox.put(message(1))
    assert not mailbox.put(message(2))
    assert mailbox.take()["n"] == 1
    assert mailbox.put(message(3))


async def test_the_senders_message_is_not_changed_by_the_next() -> None:
    mailbox, first = Mailbox(1), message(1, "dewi")
    mailbox.put(first)
    mailbox.put(message(2, "dewi"))
    assert first["n"] == 1
    assert mailbox.take()["n"] == 2


async def test_who_waits_no_more_takes_nothing_with_him() -> None:
    mailbox = Mailbox(1)
    waiting = asyncio.create_task(mailbox.receive())
    await asyncio.sleep(0)
    mailbox.put(message(1))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await mailbox.receive())["n"] == 1


async def test_waiting_ends_at_once_where_there_is_a_message() -> None:
    mailbox = Mailbox(1)
    mailbox.put(message(1))
    await mailbox.wait()
    assert len(mailbox.messages) == 1


async def test_the_receiver_may_be_woken_without_a_message() -> None:
    mailbox = Mailbox(1)
    waiting = asyncio.create_task(mailbox.wait())
    await asyncio.sleep(0)
    mailbox.wake()
    mailbox.wake()
    await waiting
    mailbox.wake()  # nobody waits


async def test_another_thread_may_put_while_the_receiver_waits() -> None:
    mailbox = Mailbox(1000)

    async def put_all() -> None:
        for n in range(1000):
            mailbox.put(message(n))

    sender = threading.Thread(target=lambda: asyncio.run(put_all()))
    sender.start()
    async with within():
        assert [(await mailbox.receive())["n"] for _ in range(1000)] == list(range(1000))
    sender.join()


async def test_a_receiver_whose_loop_has_ended_is_not_woken() -> None:
    mailbox = Mailbox(1)

    async def wait_in_vain() -> None:
        waiting = asyncio.create_task(mailbox.wait())
        await asyncio.sleep(0)
        waiter = mailbox.waiter
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        mailbox.waiter = waiter  # as where the loop was ended without any warning

    await asyncio.to_thread(lambda: asyncio.run(wait_in_vain()))
    assert mailbox.put(message(1))
