"""The threads in which the database is used.

The event loop never waits for the database: services and selectors are plain functions that run here. Writes on SQLite
have one thread, because SQLite lets one writer in at a time and makes the others poll; reads have a few of their own
and never wait for a writer (WAL).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _writers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.DB_WRITE_THREADS, thread_name_prefix="db-write")


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.DB_READ_THREADS, thread_name_prefix="db-read")


async def in_write_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function`, which may write to the database, off the event loop."""
    call: Callable[P, Awaitable[R]]
    call = database_sync_to_async(function, thread_sensitive=False, executor=_writers())
    return await call(*args, **kwargs)


async def in_read_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function`, which only reads from the database, off the event loop."""
    call: Callable[P, Awaitable[R]]
    call = database_sync_to_async(function, thread_sensitive=False, executor=_readers())
    return await call(*args, **kwargs)
