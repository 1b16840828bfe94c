"""Waiting for servers, and batches with one item at fault."""

import logging
from collections.abc import Awaitable, Callable, Sequence

import pytest

from common import retrying
from common.retrying import Repetition, all_or_each, retry_while

log = logging.getLogger("tests")


def failing(*errors: Exception) -> tuple[list[int], Callable[[], Awaitable[str]]]:
    """Return work that fails with these errors, one after the other, and then succeeds; and its tries."""
    tries: list[int] = []

    async def work() -> str:
        tries.append(1)
        if len(tries) <= len(errors):
            raise errors[len(tries) - 1]
        return "done"

    return tries, work


async def test_it_retries_until_it_succeeds() -> None:
    """Each new reason is logged once."""
    said: list[str] = []
    tries, work = failing(*[ConnectionError("away")] * 3, ConnectionError("loading"), ConnectionError("loading"))
    assert await retry_while((ConnectionError,), work, log=said.append, delay=0) == "done"
    assert (len(tries), said) == (6, ["away", "loading"])


async def test_another_error_is_raised_at_once() -> None:
    tries, work = failing(ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        await retry_while((ConnectionError,), work, log=log.warning, delay=0)
    assert len(tries) == 1


async def test_what_is_done_between_may_end_it() -> None:
    tries, work = failing(*[ConnectionError("away")] * 9)
    turns: list[int] = []

    async def between() -> None:
        turns.append(1)
        if len(turns) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await retry_while((ConnectionError,), work, log=log.warning, delay=0, between=between)
    assert len(tries) == 3


def test_a_line_is_repeated_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("common.retrying.time.monotonic", lambda: now[0])
    repetition = Repetition()
    assert [repetition.is_new(text) for text in ("a", "a", "b", "a", "b")] == [True, False, True, False, False]
    now[0] += retrying.REPEAT_AFTER
    assert repetition.is_new("a")


def test_few_texts_are_remembered() -> None:
    repetition = Repetition()
    assert all(repetition.is_new(str(number)) for number in range(10 * retrying.KINDS))
    assert len(repetition._said_at) <= retrying.KINDS


class Shop:
    """Sells numbers, but never 13; behind one that `blocks` nothing is sold."""

    def __init__(self, blocks: int | None = None) -> None:
        self.sold: list[int] = []
        self._blocks = blocks

    async def sell_all(self, numbers: Sequence[int]) -> None:
        if 13 in numbers or self._blocks in numbers:
            raise ValueError("not these")
        self.sold += numbers

    async def sell(self, number: int) -> bool:
        if number not in (13, self._blocks):
            self.sold.append(number)
        return number != self._blocks


async def sell(shop: Shop, numbers: list[int]) -> int:
    return await all_or_each(numbers, shop.sell_all, shop.sell, passing=(OSError,), log=log, what="numbers")


@pytest.mark.parametrize(
    ("numbers", "blocks", "sold", "handled"),
    [
        ([1, 2, 3], None, [1, 2, 3], 3),
        ([1, 13, 3], None, [1, 3], 3),
        ([1, 2, 3], 2, [1], 1),
        ([], None, [], 0),
    ],
)
async def test_one_that_fails_costs_no_other(
    numbers: list[int], blocks: int | None, sold: list[int], handled: int
) -> None:
    shop = Shop(blocks)
    assert await sell(shop, numbers) == handled
    assert shop.sold == sold


async def test_a_fault_of_no_item_is_raised() -> None:
    async def away(_: object) -> bool:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        await all_or_each([1, 2], away, away, passing=(OSError,), log=log, what="numbers")
