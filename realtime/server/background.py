"""What runs beside the sockets in a server process, and what is due, in a server or a process of its own.

In a server it starts with the server (ASGI lifespan), or with the first request where the server sends no lifespan
(Daphne). With Redis and NATS, the relay and the deliveries are the bridge's (`manage.py run_nats_bridge`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error
from django.db import connections as databases
from django.db.backends.base.base import BaseDatabaseWrapper
from filelock import FileLock, Timeout

from common import clock
from common.background_tasks import Loops, Work, every, until_next_beat
from common.process import process
from common.threads import in_read_thread, in_write_thread
from events.buses.memory import MemoryBus
from events.dead_letters import purge_dead_letters
from events.outbox import purge_given_up, purge_published
from events.relay import Relay
from realtime import metrics
from realtime.commands.dispatch import purge_receipts
from realtime.delivery.deliver import begin_epoch, deliver
from realtime.delivery.history import history
from realtime.server.due import DueLoop
from realtime.socket.connections import connections
from realtime.socket.nats_publisher import link
from realtime.socket.position_intake import track_buffer
from realtime.socket.rate_limits import purge_limits
from realtime.socket.receipts import flush_interval, receipt_buffer
from rides.positions import positions
from rides.timers import close_deactivated
from users.codes import purge_codes
from users.services import erasure_steps, expiry_steps, purge_sessions, purge_tokens

R = TypeVar("R")

logger = logging.getLogger(__name__)

_END = object()

PURGE_INTERVAL = 60.0
"""Seconds between two rounds of cleaning."""

LAG_INTERVAL = 0.5
"""Seconds between two looks at how late the event loop is."""

LOCK_INTERVAL = 2.0
"""Seconds between two looks at whether we are still the only server."""

SERVER_LOCK = 0x6E656265
"""Our number among the advisory locks of a PostgreSQL database."""


class Looping:
    """Work that goes round in loops, and how it is doing."""

    def __init__(self, loops: Loops) -> None:
        self._loops = loops

    @property
    def is_running(self) -> bool:
        """Whether everything that was started still runs."""
        return self._loops.are_running

    @property
    def failing(self) -> list[str]:
        """What has failed a moment ago, by name."""
        return self._loops.failing


class Background(Looping):
    """The background work of one server process."""

    def __init__(self) -> None:
        super().__init__(Loops(metrics.loop_failed))
        self._lock: OnlyServer | None = None
        self._started = False

    def ensure_started(self) -> None:
        """Start, unless that has happened. Raises `ImproperlyConfigured` when another server has this database."""
        if self._started:
            return
        loops: dict[str, Work] = {
            "heartbeat": every(settings.WS_HEARTBEAT.total_seconds(), connections().heartbeat),
            "tracks": every(settings.TRACK_FLUSH_INTERVAL.total_seconds(), track_buffer().flush_all),
            "receipts": every(flush_interval(), receipt_buffer().flush),
            "tokens": every(settings.WS_TOKEN_CHECK.total_seconds(), connections().check_tokens),
            "memory": every(PURGE_INTERVAL, purge_memory),
            "lag": measure_lag,
            "clock": every(clock.INTERVAL, clock.measure),
        }
        if settings.DISTRIBUTED:
            from common.roll import Roll  # with the client of Redis, as below: not in a process that stands alone

            loops["link"] = link().run
            loops["roll"] = Roll("web").run
            loops["positions"] = share_positions
        else:
            self._lock = OnlyServer()
            loops["only_server"] = every(LOCK_INTERVAL, self._keep_lock)
            loops["relay"] = Relay(MemoryBus(deliver, begin_epoch)).run
        if settings.SERVE_TIMERS:
            loops |= due_loops()
        self._loops.start(loops)
        self._started = True

    async def _keep_lock(self) -> None:
        """End this process where another one has become the server: two would each deliver half of the events."""
        if self._lock is not None and not await in_read_thread(self._lock.hold):
            logger.critical("Another server has this database: this one ends.")
            os.kill(os.getpid(), signal.SIGTERM)

    async def stop(self) -> None:
        """Stop everything, and book what was reported until now."""
        await self._loops.stop()
        self._started = False
        await track_buffer().flush_all()
        await receipt_buffer().flush()
        if settings.DISTRIBUTED:
            from common.redis import close_async_redis

            await flush_positions()
            await close_async_redis()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def background() -> Background:
    """Return the background work of this process."""
    return process.one(Background, Background)


class Dispatcher(Looping):
    """What is due, in a process of its own."""

    def __init__(self) -> None:
        super().__init__(Loops())

    def start(self) -> None:
        """Run what is due until `stop`; with NATS, wake the relay after each commit."""
        loops = due_loops() | {"clock": every(clock.INTERVAL, clock.measure)}
        if settings.DISTRIBUTED:
            from common.roll import Roll

            loops |= {"link": lambda: link().run("dispatcher"), "roll": Roll("dispatcher").run}
        self._loops.start(loops)

    async def stop(self) -> None:
        """Stop."""
        await self._loops.stop()
        if settings.DISTRIBUTED:
            from common.redis import close_async_redis

            await close_async_redis()


def due_loops() -> dict[str, Work]:
    """Return the loops that any number of processes may run, because each thing that is due is done by one."""
    return {
        "timers": lambda: DueLoop().run(),
        "database": every(PURGE_INTERVAL, purge_database),
    }


async def measure_lag() -> None:
    """Measure for ever how late the event loop is: what takes long on it holds everybody up."""
    loop = asyncio.get_running_loop()
    while True:
        pause = until_next_beat(LAG_INTERVAL, least=LAG_INTERVAL / 2)
        due = loop.time() + pause
        await asyncio.sleep(pause)
        metrics.loop_was_late(max(0.0, loop.time() - due))


async def share_positions() -> None:
    """Flush positions for ever: once one was reported, and then `POSITIONS_INTERVAL` later at the earliest."""
    loop, reported = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(reported.set)

    positions().listen(wake)
    try:
        while True:
            if not positions().has_unflushed:
                await reported.wait()
            reported.clear()
            await flush_positions()
            await asyncio.sleep(settings.POSITIONS_INTERVAL.total_seconds())
    finally:
        positions().listen(None)


async def flush_positions() -> None:
    """Let other processes see the positions that were reported to this one."""
    if positions().has_unflushed:
        await in_read_thread(positions().flush)


async def purge_memory() -> None:
    """Forget what this process keeps, or Redis does not forget by itself, and nobody needs any more."""
    history().purge()
    purge_limits()
    await in_read_thread(positions().forget, clock.timestamp() - settings.HISTORY_TTL.total_seconds())


async def purge_database() -> None:
    """Delete the rows that nobody needs any more, in small transactions."""
    purges = (
        purge_receipts,
        purge_codes,
        purge_tokens,
        purge_sessions,
        partial(purge_published, settings.OUTBOX_RETENTION),
        partial(purge_given_up, settings.DEAD_LETTER_RETENTION),
        partial(purge_dead_letters, settings.DEAD_LETTER_RETENTION),
    )
    for purge in purges:
        while await in_write_thread(purge):
            pass
    await in_write_thread(close_deactivated)
    for steps in (expiry_steps(), erasure_steps()):
        while await in_write_thread(next, steps, _END) is not _END:
            pass


class OnlyServer:
    """The lock that makes this process the only server of its database: without a bus, events stay within a process.

    It is a file beside an SQLite database, and an advisory lock in PostgreSQL, on a connection of its own.
    """

    def __init__(self) -> None:
        self._file: FileLock | None = None
        self._session: BaseDatabaseWrapper | None = None
        database = settings.DATABASES["default"]
        is_file = "sqlite" in database["ENGINE"]
        taken = self._lock_file(database["NAME"]) if is_file else off_loop(self._lock_session)
        if not taken:
            name = Path(str(database["NAME"])).name
            text = f"Another server runs on {name}; without REDIS_URL and NATS_URL there can be one."
            raise ImproperlyConfigured(text)

    def hold(self) -> bool:
        """Return whether we are still the only server; off the event loop.

        A lock of PostgreSQL ends with its connection: after a restart of the database it has to be taken again. While
        the database is away nobody can take it.
        """
        if self._session is None:
            return True
        try:
            with self._session.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Error:
            self._session.close()
            with suppress(Error):
                return self._lock_session()
        return True

    def release(self) -> None:
        """Let another process be the server."""
        if self._file is not None:
            self._file.release()
        if self._session is not None:
            off_loop(self._unlock_session)

    def _lock_file(self, database: object) -> bool:
        self._file = FileLock(Path(f"{database}.server-lock"))
        try:
            self._file.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def _lock_session(self) -> bool:
        self._session = databases.create_connection("default")
        self._session.inc_thread_sharing()  # opened and closed by different threads, never used by two at once
        with self._session.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [SERVER_LOCK])
            taken = bool(cursor.fetchone()[0])
        if not taken:
            self._session.close()
        return taken

    def _unlock_session(self) -> None:
        assert self._session is not None
        # PostgreSQL notices a closed connection a moment later: until then the next server would be refused.
        with suppress(DatabaseError), self._session.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
        self._session.close()


def off_loop(call: Callable[[], R]) -> R:
    """Call something that waits for the database, as a server may when it begins and ends."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()
