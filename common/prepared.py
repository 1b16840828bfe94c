"""Queries that run for every connect or command: Django makes their SQL once, each call only brings its values.

Django's compiler takes about 1 ms of Python for a query with several subqueries; the database answers it in 0.05 ms.
The SQL is still that of the models, so a change of a model changes the query with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, Field, QuerySet, TextField, UUIDField

_FIELDS: dict[type, Field[Any, Any]] = {UUID: UUIDField(), datetime: DateTimeField(), str: TextField()}

_MARKS: dict[type, list[Any]] = {
    UUID: [UUID(int=0xA5A5_0000_0000_4000_8000_0000_0000_0000 + n) for n in range(4)],
    datetime: [datetime(1901, 1, 1, n, tzinfo=UTC) for n in range(4)],
    str: [f"\0argument {n}" for n in range(4)],
}
"""Values that no real query has: they show where in the SQL the arguments go."""


class Prepared:
    """The SQL of a queryset of tuples; `build` gets arguments of the given types (UUID, datetime or str).

    Rows come as the database driver returns them, without Django's conversions: ask for numbers, texts and `Exists`.
    """

    def __init__(self, *types: type, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._types = types
        self._build = build
        self._made: dict[str, tuple[str, list[Any], list[tuple[int, int]]]] = {}

    def first(self, *values: Any) -> tuple[Any, ...] | None:
        """Return the first row for these values; None where there is none."""
        rows = self.rows(*values)
        return rows[0] if rows else None

    def rows(self, *values: Any) -> list[tuple[Any, ...]]:
        """Return all rows for these values."""
        sql, parameters, places = self._made.get(connection.vendor) or self._make()
        adapted = [_adapted(kind, value) for kind, value in zip(self._types, values, strict=True)]
        given = list(parameters)
        for place, argument in places:
            given[place] = adapted[argument]
        with connection.cursor() as cursor:
            cursor.execute(sql, given)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _make(self) -> tuple[str, list[Any], list[tuple[int, int]]]:
        marks = [_MARKS[kind][n] for n, kind in enumerate(self._types)]
        sql, parameters = self._build(*marks).query.get_compiler(connection=connection).as_sql()
        adapted = [_adapted(kind, mark) for kind, mark in zip(self._types, marks, strict=True)]
        places = [(place, adapted.index(value)) for place, value in enumerate(parameters) if value in adapted]
        if {argument for _, argument in places} != set(range(len(self._types))):
            raise ValueError("An argument of the query is not in its SQL.")
        made = self._made[connection.vendor] = sql, list(parameters), places
        return made


def _adapted(kind: type, value: Any) -> Any:
    return _FIELDS[kind].get_db_prep_value(value, connection)
