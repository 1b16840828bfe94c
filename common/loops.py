"""The event loop of commands; `serve` gets the same from uvicorn."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

try:
    from uvloop import new_event_loop
except ImportError:  # Windows
    from asyncio import new_event_loop  # type: ignore[assignment]

R = TypeVar("R")


def run(work: Coroutine[Any, Any, R]) -> R:
    """Run until `work` is done, on uvloop where there is one: NATS and Redis cost about half as much on it."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
