"""The threads in which the database is used.

The event loop never waits for the database: services and selectors are plain functions that run here. Writes on SQLite
have one thread, because SQLite lets one writer in at a time and makes the others poll; reads have a
few of their own and never wait for a writer (WAL). Each thread keeps its connection, so a process has
`DB_WRITE_THREADS + DB_READ_THREADS` connections open beside those of HTTP requests. A connection is closed after an
error; on a database server, which may have restarted, it is checked before use when it was idle or another one failed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import Error, connection, connections

CHECK_AFTER = 1.0
"""Seconds after which an idle connection to a database server is checked before use."""

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _writers() -> Executor:
    return ThreadPoolExecutor(settings.DB_WRITE_THREADS, thread_name_prefix="db-write", initializer=_keep_no_log)


@cache
def _readers() -> Executor:
    return ThreadPoolExecutor(settings.DB_READ_THREADS, thread_name_prefix="db-read", initializer=_keep_no_log)


def _keep_no_log() -> None:
    """Keep no log of queries in this thread: with `DEBUG` on Django keeps one, and clears it only for HTTP requests.

    It would hold the last 9,000 statements of each thread, and quote their parameters with another statement for each.
    """
    if settings.LOG_LEVEL != "DEBUG":
        connection.make_debug_cursor = connection.make_cursor  # type: ignore[assignment,method-assign]
        connection.queries_log = deque(maxlen=0)  # BEGIN and COMMIT are noted without a cursor


async def in_write_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function`, which may write to the database, off the event loop."""
    return await _run(_writers(), partial(function, *args, **kwargs))


async def in_read_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function`, which only reads from the database, off the event loop."""
    return await _run(_readers(), partial(function, *args, **kwargs))


def wait_for_write_thread(function: Callable[[], R]) -> R:
    """Run `function` in its turn among the writes, and wait for it; for threads that may wait."""
    return _writers().submit(_careful(function)).result()


async def _run(threads: Executor, call: Callable[[], R]) -> R:
    return await asyncio.get_running_loop().run_in_executor(threads, copy_context().run, _careful(call))


def _careful(call: Callable[[], R]) -> Callable[[], R]:
    """Return the call with a look at the connection before, and without one after an error."""

    def work() -> R:
        _drop_dead_connection()
        try:
            result = call()
        except Error:
            _failed_at[0] = time.monotonic()
            connections.close_all()
            raise
        _proof.answered_at = time.monotonic()
        return result

    return work


class _Proof(threading.local):
    """When the connection of this thread answered last, and when any failed; in seconds of `time.monotonic`."""

    answered_at = float("-inf")


_proof = _Proof()
_failed_at = [float("-inf")]


def _drop_dead_connection() -> None:
    """Close a connection to a server that may have restarted: a look costs a round trip, so not before each call."""
    if connection.vendor == "sqlite" or connection.connection is None:
        return
    if _proof.answered_at <= max(_failed_at[0], time.monotonic() - CHECK_AFTER) and not connection.is_usable():
        connection.close()
