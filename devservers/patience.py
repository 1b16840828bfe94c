"""Waiting for what happens elsewhere: every limit of benchmarks and tests is multiplied by `TIMEOUT_FACTOR`.

Raise it on a slow or busy machine (`TIMEOUT_FACTOR=5 make test`). A limit only says when to give up, so a large factor
makes no passing test slower.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Callable

FACTOR = float(os.environ.get("TIMEOUT_FACTOR", "1"))

TIMEOUT = 60 * FACTOR
"""Seconds for anything that a working system does within three; a busy machine may be twenty times slower."""

POLL = 0.02
"""Seconds between two looks."""


def within(seconds: float = TIMEOUT) -> asyncio.Timeout:
    """Return a context in which whatever takes longer fails with `TimeoutError`."""
    return asyncio.timeout(seconds)


async def until(condition: Callable[[], object], what: str = "", seconds: float = TIMEOUT) -> None:
    """Return when a condition, which may be a coroutine function, holds; raise `TimeoutError` with `what` is not so."""
    deadline = time.monotonic() + seconds
    while not await _holds(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(what or _source_of(condition))
        await asyncio.sleep(POLL)


def until_true(condition: Callable[[], object], what: str = "", seconds: float = TIMEOUT) -> None:
    """Do the same outside of an event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what or _source_of(condition))
        time.sleep(POLL)


async def _holds(condition: Callable[[], object]) -> object:
    result = condition()
    return await result if inspect.isawaitable(result) else result


def _source_of(condition: Callable[[], object]) -> str:
    try:
        return f"This does not hold: {inspect.getsource(condition).strip()}"
    except (OSError, TypeError):
        return f"This does not hold: {condition}"
