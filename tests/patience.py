"""Waiting in tests: generous, and scaled by `TIMEOUT_FACTOR`. No wait decides what a test finds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from devservers.patience import TIMEOUT

__all__ = ["TIMEOUT", "until", "until_true", "within"]


def within(seconds: float = TIMEOUT) -> asyncio.Timeout:
    """Return a context in which whatever takes longer fails with `TimeoutError`."""
    return asyncio.timeout(seconds)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with within():
        while not condition():
            await asyncio.sleep(0.01)


def until_true(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, in a test that is no coroutine."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
