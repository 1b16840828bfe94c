"""The roll of the processes: each says every second that it is there, so that one which is suspended or hangs is named.

It is one sorted set in Redis, by the clock of Redis. A process that stops in its own way leaves it; one that was killed
or is silent is named for as long as `FORGOTTEN_AFTER`, in which somebody looks, or until it was started again. Another
one is of those whose clock is wrong: each process measures its own.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any

from common.background_tasks import every
from common.clock import MAX_SKEW, shared_clock
from common.redis import AWAY, PREFIX, Script, async_redis, sync_redis

KEY = f"{PREFIX}processes"
WRONG = f"{PREFIX}processes-wrong"

INTERVAL = 1.0
"""Seconds between two words of a process."""

SILENT_AFTER = 3.0
"""Seconds after its last word when a process is named."""

FORGOTTEN_AFTER = 20.0
"""Seconds after its last word when a process is no longer named: others do its work, and Prometheus remembers it."""

_BEAT = Script(Path(__file__).with_name("beat.lua"))


class Roll:
    """The place of this process on the roll; `kind` is what it is: web, bridge or dispatcher."""

    def __init__(self, kind: str) -> None:
        self._place = f"{kind} {socket.gethostname()}:"
        self.name = f"{self._place}{os.getpid()}"

    async def run(self) -> None:
        """Be on the roll until cancelled, then leave it."""
        try:
            await self._replace_one()
            await every(INTERVAL, self.beat)()
        finally:
            await self.leave()

    async def beat(self) -> None:
        """Say that this process is there. That Redis is away is for others to say."""
        skew = shared_clock().skew
        wrong = f"{self.name} ({skew:+.0f} s)" if abs(skew) > MAX_SKEW else ""
        with contextlib.suppress(*AWAY):
            await _BEAT([KEY, WRONG], [self.name, wrong, FORGOTTEN_AFTER, SILENT_AFTER])

    async def _replace_one(self) -> None:
        """Take one process off the roll that was killed on this machine: this one has been started in its place."""
        client: Any = async_redis()
        with contextlib.suppress(*AWAY):
            for name in map(bytes.decode, await client.zrange(KEY, 0, -1)):
                if name.startswith(self._place) and _is_gone(int(name.removeprefix(self._place))):
                    await client.zrem(KEY, name)
                    return

    async def leave(self) -> None:
        """Say that this process ends."""
        with contextlib.suppress(*AWAY):
            await async_redis().zrem(KEY, self.name)


def _is_gone(pid: int) -> bool:
    """Whether there is no process of this number on this machine; one that is suspended is there."""
    if os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


async def present(kind: str) -> int:
    """Return how many processes of a kind are there and not silent. Raises what Redis raises."""
    client: Any = async_redis()
    seconds, _ = await client.time()
    names = await client.zrangebyscore(KEY, seconds - SILENT_AFTER, "+inf")
    return sum(name.startswith(f"{kind} ".encode()) for name in names)


def silent_processes() -> dict[str, float]:
    """Return the processes that are silent, by name, and for how many seconds."""
    client: Any = sync_redis()
    seconds, microseconds = client.time()
    now = seconds + microseconds / 1_000_000
    found = client.zrangebyscore(KEY, now - FORGOTTEN_AFTER, now - SILENT_AFTER, withscores=True)
    return {name.decode(): round(now - said_at, 1) for name, said_at in found}


def wrong_clocks() -> list[str]:
    """Return the processes whose clock differs from the database's, by name, each with the difference."""
    client: Any = sync_redis()
    seconds, _ = client.time()
    return sorted(name.decode() for name in client.zrangebyscore(WRONG, seconds - SILENT_AFTER, "+inf"))
