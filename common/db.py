"""What the ORM does not offer: reading several things as of one moment, holding a name, deleting in steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

AWAY = (OperationalError, InterfaceError)
"""What is raised while the database is unavailable."""

DELETED_AT_ONCE = 200
"""Rows that one transaction deletes."""


@contextmanager
def read_snapshot() -> Iterator[None]:
    """Let all queries within see one state of the database, without waiting for writers or holding them up.

    Django begins transactions on SQLite with the write lock here (see `settings`), which a reader does not want; so the
    transaction is begun by hand. Within a transaction there is nothing to do.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("COMMIT")
    else:
        with _beginning_with_snapshot(), transaction.atomic():
            yield


@contextmanager
def _beginning_with_snapshot() -> Iterator[None]:
    """Let PostgreSQL begin transactions with one state of the database, read only, without a statement of its own."""
    from psycopg import IsolationLevel  # a process on SQLite never loads it

    connection.ensure_connection()
    session = connection.connection
    session.isolation_level, session.read_only = IsolationLevel.REPEATABLE_READ, True
    try:
        yield
    finally:
        if not session.closed:
            session.isolation_level = session.read_only = None


def database_now() -> datetime:
    """Return the time by the clock of the database, the one clock that all processes share."""
    if connection.vendor != "postgresql":
        return timezone.now()  # SQLite has no other clock than ours
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cast("datetime", cursor.fetchone()[0])


def hold_name(name: str) -> None:
    """Wait until no other transaction holds this name, and hold it until the end of ours.

    For what must be counted before a row exists that could be locked. On SQLite writers wait for each other anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def delete_batch(rows: QuerySet[Any]) -> int:
    """Delete at most `DELETED_AT_ONCE` rows, with what hangs on them; return how many rows that were.

    One DELETE of many rows would hold SQLite's only lock for as long as it takes: 1.3 s for 100,000 rows.
    """
    keys = list(rows.values_list("pk", flat=True)[:DELETED_AT_ONCE])
    if keys:
        rows.model._base_manager.filter(pk__in=keys).delete()
    return len(keys)


def delete_steps(rows: QuerySet[Any]) -> Iterator[None]:
    """Delete rows in batches, each in a transaction of its own; yield between them."""
    while delete_batch(rows):
        yield


def delete_old_steps(rows: QuerySet[Any], due: Q) -> Iterator[None]:
    """Delete the oldest rows that are `due`, in the same way.

    For large tables without an index on the time: their rows were written in the order of time, so that it ends at the
    first batch in which none is due.
    """
    while True:
        oldest = list(rows.order_by("pk").values_list("pk", flat=True)[:DELETED_AT_ONCE])
        if not rows.model._base_manager.filter(due, pk__in=oldest).delete()[0]:
            return
        yield
