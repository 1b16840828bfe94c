"""What an operator sees while something is half dead: `/health/detailed`, how fast it comes, and lines of the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from devservers.web import ServerProcess

WELL_WITHIN = 30.0
"""Seconds after which nobody waits any longer for all to be well again."""


Undo = Callable[[], object]


class Sight(msgspec.Struct):
    """What an operator sees of a fault, in seconds; None where it was never seen, or need not be."""

    said_after: float | None
    well_after: float | None
    answered_within: float
    lines: int


def sight_of(
    web: ServerProcess, output: Callable[[], str], begin: Callable[[], Undo], shows: str | None, seconds: float
) -> Sight:
    """Let a fault begin, last and end, and return what is seen of it; `shows` is the check that must name it."""
    lines = len(output().splitlines())
    undo = begin()
    said_after, slowest = _watch(web, lambda body: shows is not None and not body[shows]["ok"], seconds)
    undo()
    well_after, after = _watch(web, lambda body: body["status"] == "ok", WELL_WITHIN, stop=True)
    lines = max(0, len(output().splitlines()) - lines)  # a process that was started again begins anew
    return Sight(said_after, well_after, max(slowest, after), lines)


def recovery_of(web: ServerProcess) -> Sight:
    """Return what is seen after a fault that is over: when all is well, and the slowest answer until then."""
    well_after, slowest = _watch(web, lambda body: body["status"] == "ok", WELL_WITHIN, stop=True)
    return Sight(None, well_after, slowest, 0)


def _watch(
    web: ServerProcess, seen: Callable[[dict[str, Any]], bool], seconds: float, *, stop: bool = False
) -> tuple[float | None, float]:
    """Look at the health of a web process for so long; return when something was seen first, and the slowest answer."""
    began, first, slowest = time.monotonic(), None, 0.0
    while time.monotonic() < began + seconds and not (stop and first is not None):
        asked = time.monotonic()
        body = httpx.get(f"{web.url}/health/detailed", timeout=30, trust_env=False).json()
        slowest = max(slowest, time.monotonic() - asked)
        if first is None and seen(body):
            first = time.monotonic() - began
        time.sleep(0.2)
    return first, slowest
