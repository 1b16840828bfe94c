"""The backend (`ENGINE=common.postgresql`): what a server does not answer within `answer_timeout` is an error.

`statement_timeout` is kept by the server, and so by none that is frozen, and TCP keepalives see that its machine is
there. Without a limit of our own a thread would wait for as long as that lasts, and the process could not even end.
"""

from __future__ import annotations

import time
from typing import Any, Self, TypeVar

import psycopg
from django.db.backends.postgresql import base
from psycopg.abc import PQGen

R = TypeVar("R")

INTERVAL = 0.1
"""Seconds between two looks at the clock, as psycopg has it."""


NOT_NOW = (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.IdleInTransactionSessionTimeout)
"""Refusals that pass: a standby, or a server without room on its disk; psycopg counts them among internal errors."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is given up when the server has not answered for `answer_timeout` seconds."""

    answer_timeout: float | None = None

    @classmethod
    def connect(cls, conninfo: str = "", *, answer_timeout: float | None = None, **options: Any) -> Self:  # type: ignore[override]
        """Connect; `connect_timeout` of the `options` bounds that."""
        made = super().connect(conninfo, **options)
        made.answer_timeout = answer_timeout
        return made

    def wait(self, gen: PQGen[R], interval: float = INTERVAL, timeout: float | None = None) -> R:
        """Wait for an answer; raises `OperationalError` when there is none in time. Nothing else waits for the server.

        What was asked may have been done all the same, as after any lost connection.
        """
        limit = self.answer_timeout if timeout is None else timeout
        began = time.monotonic()
        try:
            return super().wait(gen, interval, limit)
        except NOT_NOW as exc:
            raise psycopg.OperationalError(str(exc)) from exc
        except psycopg.OperationalError as exc:  # psycopg has no public name for its time-out
            if limit is None or time.monotonic() < began + limit:
                raise
            self.pgconn.finish()  # the answer to this must not be taken for that to something else
            raise psycopg.OperationalError(f"the database has not answered for {limit:g} s") from exc


class BoundedPsycopg:
    """The module psycopg, but for its `connect`."""

    connect = staticmethod(BoundedConnection.connect)

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, over these connections; takes `answer_timeout` (seconds) among its `OPTIONS`."""

    Database = BoundedPsycopg()  # type: ignore[assignment]  # Django says: a module
