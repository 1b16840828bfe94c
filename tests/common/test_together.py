import asyncio
import threading

import pytest
from django.db import OperationalError

from common.together import MOST, Together

pytestmark = pytest.mark.django_db(transaction=True)


class Asked:
    """A database that answers with the square of a number, and of 13 with nothing; each answer waits for `go`."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go = threading.Semaphore(0)
        self.fails = False

    def __call__(self, keys: list[int]) -> dict[int, int]:
        self.calls.append(sorted(keys))
        self.go.acquire()
        if self.fails:
            raise OperationalError("away")
        return {key: key * key for key in keys if key != 13}


async def wait_for(together: Together[int, int], *keys: int) -> list[asyncio.Task[int | None]]:
    tasks = [asyncio.create_task(together.get(key)) for key in keys]
    await asyncio.sleep(0)
    return tasks


async def test_one_alone_is_asked_at_once() -> None:
    asked = Asked()
    asked.go.release()
    assert await Together(asked).get(7) == 49
    assert asked.calls == [[7]]


async def test_those_who_come_meanwhile_are_asked_together() -> None:
    asked = Asked()
    together = Together(asked)
    first = await wait_for(together, 1)
    others = await wait_for(together, 2, 13, 2, 3)
    asked.go.release(2)
    assert await asyncio.gather(*first, *others) == [1, 4, None, 4, 9]
    assert asked.calls == [[1], [2, 3, 13]]


async def test_an_answer_is_never_older_than_its_question() -> None:
    """Who asks for the same while a call is under way gets what is true after the question, not before."""
    truth = {1: "before"}
    begun, go = threading.Event(), threading.Semaphore(0)

    def ask(keys: list[int]) -> dict[int, str]:
        found = dict(truth)
        begun.set()
        go.acquire()
        return found

    together = Together(ask)
    early = asyncio.create_task(together.get(1))
    await asyncio.to_thread(begun.wait)
    truth[1] = "after"
    late = asyncio.create_task(together.get(1))
    await asyncio.sleep(0)
    go.release(2)
    assert [await early, await late] == ["before", "after"]


async def test_a_crowd_is_asked_in_parts() -> None:
    asked = Asked()
    crowd = await wait_for(Together(asked), *range(100, 100 + 2 * MOST + 1))
    asked.go.release(4)
    assert await asyncio.gather(*crowd) == [key * key for key in range(100, 100 + 2 * MOST + 1)]
    assert max(map(len, asked.calls)) == MOST


async def test_an_error_is_that_of_all_who_asked_together_and_of_nobody_later() -> None:
    asked = Asked()
    asked.fails = True
    together = Together(asked)
    crowd = await wait_for(together, 1, 2)
    asked.go.release(2)
    results = await asyncio.gather(*crowd, return_exceptions=True)
    assert [type(result) for result in results] == [OperationalError, OperationalError]
    asked.fails = False
    asked.go.release()
    assert await together.get(3) == 9


async def test_who_gives_up_takes_nobody_along() -> None:
    asked = Asked()
    together = Together(asked)
    first, second, third = await wait_for(together, 1, 2, 3)
    first.cancel()
    second.cancel()
    await asyncio.sleep(0)
    asked.go.release(2)
    assert await third == 9
    alone = await wait_for(together, 4)
    alone[0].cancel()
    await asyncio.gather(*alone, return_exceptions=True)
    asked.go.release(2)
    assert await together.get(5) == 25
