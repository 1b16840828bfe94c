"""Empty the database after a test that had transactions of its own, at a third of what Django's `flush` costs.

`flush` empties every table and makes all permissions anew. Hardly any test writes to more than a few tables, and none
of ours to those that a migration fills, but the one that proves that they come back.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import cast

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, transaction

from common.threads import _readers, _writers
from tests.patience import TIMEOUT

FILLED = (ContentType, Permission)
"""Models whose rows the end of a migration makes."""

_tables: list[str] = []
_rows: list[int] = []


def remember() -> None:
    """Note the tables of the database, and what migrations have put into some of them."""
    filled = {model._meta.db_table for model in FILLED}
    names = {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed}
    _tables[:] = sorted(names - filled)
    _rows[:] = _filled()


def empty() -> None:
    """Empty all tables, and make again what migrations have made where it is not there any more."""
    for pool in (_writers, _readers):
        if pool.cache_info().currsize:
            _wait_for(cast("ThreadPoolExecutor", pool()))
    quoted = [connection.ops.quote_name(name) for name in _tables]
    used = "SELECT " + ", ".join(f"EXISTS (SELECT 1 FROM {name})" for name in quoted)
    with connection.constraint_checks_disabled(), transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")  # neither foreign keys nor triggers
        cursor.execute(used)
        for name, is_used in zip(quoted, cursor.fetchone() or (), strict=True):
            if is_used:
                cursor.execute(f"DELETE FROM {name}")
    if _filled() != _rows:
        for model in reversed(FILLED):
            model._base_manager.all().delete()
        emit_post_migrate_signal(0, interactive=False, db="default")


def _wait_for(pool: ThreadPoolExecutor) -> None:
    """Wait until all threads are free: what a test leaves behind would be cut off within its transaction."""
    barrier = Barrier(pool._max_workers)
    for met in [pool.submit(barrier.wait, TIMEOUT) for _ in range(pool._max_workers)]:
        with suppress(BrokenBarrierError):  # a test may have left a thread that waits for ever
            met.result()


def _filled() -> list[int]:
    return [model._base_manager.count() for model in FILLED]
