"""What runs beside the sockets in a server process: the relay, the timers, the heartbeat, the tracks, the cleaning.

It starts with the server (ASGI lifespan), or with the first request where the server sends no lifespan (Daphne).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from filelock import FileLock, Timeout

from events.buses import make_bus
from events.outbox import purge_published
from events.relay import Relay
from nebengjek.threads import in_write_thread
from realtime.connections import connections
from realtime.delivery import deliver
from realtime.dispatch import purge_receipts
from realtime.history import history
from realtime.limits import costly_buckets
from realtime.tracking import track_buffer
from rides.positions import positions
from rides.timers import run_due
from users.codes import purge_codes
from users.services import purge_tokens

logger = logging.getLogger(__name__)

PURGE_INTERVAL = 60.0
"""Seconds between two rounds of cleaning."""

TOKEN_CHECK_INTERVAL = 15.0
"""Seconds between two looks at whether the users of open sockets may still be here; usually they are told at once."""

RESTART_DELAY = 1.0
"""Seconds before a loop that failed goes on."""


class Background:
    """The background work of one server process."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: FileLock | None = None

    @property
    def is_running(self) -> bool:
        """Whether everything that was started still runs."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    def ensure_started(self) -> None:
        """Start, unless that has happened. Raises `ImproperlyConfigured` when another server has this database."""
        if self._tasks:
            return
        self._lock = _only_server()
        relay = Relay(make_bus(deliver))
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "relay": relay.run,
            "heartbeat": _every(settings.WS_HEARTBEAT.total_seconds(), connections.heartbeat),
            "tracks": _every(settings.TRACK_FLUSH_INTERVAL.total_seconds(), track_buffer().flush_all),
        }
        loops["tokens"] = _every(TOKEN_CHECK_INTERVAL, connections.check_tokens)
        loops["memory"] = _every(PURGE_INTERVAL, purge_memory)
        if settings.SERVE_TIMERS:
            loops["timers"] = _every(settings.TIMERS_INTERVAL.total_seconds(), _timers)
            loops["database"] = _every(PURGE_INTERVAL, purge_database)
        self._tasks = [asyncio.create_task(_keep_running(name, loop), name=name) for name, loop in loops.items()]

    async def stop(self) -> None:
        """Stop everything, and book what was reported until now."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await track_buffer().flush_all()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


background = Background()


async def purge_memory() -> None:
    """Forget what this process keeps and nobody needs any more."""
    history().purge()
    costly_buckets().purge()
    positions().forget(time.time() - settings.HISTORY_TTL.total_seconds())


async def purge_database() -> None:
    """Delete the rows that nobody needs any more."""
    await in_write_thread(purge_receipts)
    await in_write_thread(purge_codes)
    await in_write_thread(purge_tokens)
    await in_write_thread(purge_published, settings.OUTBOX_RETENTION)


async def _timers() -> None:
    while await in_write_thread(run_due):
        pass


def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def loop() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    return loop


async def _keep_running(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop for ever: an error is logged, and the loop goes on."""
    while True:
        try:
            await loop()
        except Exception:
            logger.exception("The %s failed and goes on in %g s.", name, RESTART_DELAY)
        await asyncio.sleep(RESTART_DELAY)


def _only_server() -> FileLock:
    """Take the lock that makes this process the only server of its database: events are delivered within a process."""
    path = Path(f"{settings.DATABASES['default']['NAME']}.server-lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as exc:
        text = f"Another server runs on {path.with_suffix('').name}; without REDIS_URL and NATS_URL there can be one."
        raise ImproperlyConfigured(text) from exc
    return lock
