"""Waiting for servers that are unavailable, and batches of which one item may be at fault."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

from common.errors import brief
from common.process import process

R = TypeVar("R")
T = TypeVar("T")

Errors = tuple[type[BaseException], ...]

REPEAT_AFTER = 60.0
"""Seconds after which a line that goes on being true is logged again."""


KINDS = 100
"""Texts that are remembered."""


class Repetition:
    """Tells a new log line from one that was logged a moment ago, so that an outage is not a line every second.

    An outage may have several reasons in turn; each is a line once in `REPEAT_AFTER`. For any thread.
    """

    def __init__(self) -> None:
        self._said_at: dict[str, float] = {}

    def is_new(self, text: str) -> bool:
        """Return whether this text was not logged within the last `REPEAT_AFTER` seconds."""
        now = time.monotonic()
        if now < self._said_at.get(text, float("-inf")) + REPEAT_AFTER:
            return False
        if len(self._said_at) >= KINDS:
            self._said_at.clear()
        self._said_at[text] = now
        return True


def repetition(kind: Hashable) -> Repetition:
    """Return what tells the lines of one kind apart, for all of this process."""
    return process.one((Repetition, kind), Repetition)


async def retry_while(
    errors: Errors,
    work: Callable[[], Awaitable[R]],
    *,
    log: Callable[[str], None],
    delay: float,
    between: Callable[[], Awaitable[None]] | None = None,
) -> R:
    """Return what `work` returns; while it raises one of `errors`, do it again every `delay` seconds.

    `log` gets the reason, once for each new one. `between` is awaited before each new attempt; what it raises ends the
    retrying.
    """
    said = Repetition()
    while True:
        try:
            return await work()
        except errors as exc:
            if said.is_new(reason := brief(exc)):
                log(reason)
        await asyncio.sleep(delay)
        if between is not None:
            await between()


async def all_or_each(
    items: Sequence[T],
    do_all: Callable[[Sequence[T]], Awaitable[object]],
    do_each: Callable[[T], Awaitable[bool]],
    *,
    passing: Errors,
    log: logging.Logger,
    what: str,
) -> int:
    """Handle a batch; where that fails, handle each item by itself. Return how many items were handled.

    An error of `passing` has nothing to do with any item: it is raised. `do_each` returns False where the items after
    this one have to wait for it.
    """
    try:
        await do_all(items)
    except passing:
        raise
    except Exception:
        log.exception("A batch of %d %s failed; retrying each by itself.", len(items), what)
        for done, item in enumerate(items):
            if not await do_each(item):
                return done
    return len(items)
