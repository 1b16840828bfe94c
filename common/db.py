"""What the ORM does not offer: reading several things as they were at one moment, and holding a name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection, transaction

AWAY = (OperationalError, InterfaceError)
"""What is raised while the database is unavailable."""


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
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield


def hold_name(name: str) -> None:
    """Wait until no other transaction holds this name, and hold it until the end of ours.

    For what must be counted before a row exists that could be locked. On SQLite writers wait for each other anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
