"""Writing rows for every connect or command: as `Model.save` and `bulk_create` do, but their SQL is made once.

They send no signals and read nothing back. Keys that the database gives are therefore not known afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import AutoField, Field, Model

PARAMETERS = 900
"""Values of one INSERT: SQLite before 3.32 takes no more than 999."""


def insert_rows(rows: Sequence[Model], *, replaces: tuple[str, ...] = ()) -> None:
    """Insert new rows of one table, in this order; a row that has the same `replaces` columns is replaced.

    It takes one statement for `PARAMETERS` values.
    """
    if not rows:
        return
    model = type(rows[0])
    fields = _columns(model)
    at_once = PARAMETERS // len(fields)
    with connection.cursor() as cursor:
        for first in range(0, len(rows), at_once):
            some = rows[first : first + at_once]
            values = [_value(row, field, is_new=True) for row in some for field in fields]
            cursor.execute(_insert(model, len(some), replaces), values)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def update_row(row: Model, *names: str) -> None:
    """Write these fields of a row that exists; raises `DatabaseError` when it does not."""
    model = type(row)
    fields = [model._meta.get_field(name) for name in names]
    values = [_value(row, field, is_new=False) for field in (*fields, model._meta.pk)]
    with connection.cursor() as cursor:
        cursor.execute(_update(model, names), values)
        if cursor.rowcount != 1:
            raise DatabaseError(f"There is no {model.__name__} {row.pk} to be updated.")


def _value(row: Model, field: Any, *, is_new: bool) -> Any:
    return field.get_db_prep_save(field.pre_save(row, add=is_new), connection)


@cache
def _columns(model: type[Model]) -> list[Field[Any, Any]]:
    return [field for field in model._meta.local_concrete_fields if not isinstance(field, AutoField)]


@cache
def _insert(model: type[Model], count: int, replaces: tuple[str, ...]) -> str:
    columns = [str(field.column) for field in _columns(model)]
    row = f"({', '.join(['%s'] * len(columns))})"
    sql = f"INSERT INTO {_quoted(model._meta.db_table)} ({_list(columns)}) VALUES {', '.join([row] * count)}"  # noqa: S608
    if not replaces:
        return sql
    keys = [_column(model, name) for name in replaces]
    others = ", ".join(f"{_quoted(one)} = EXCLUDED.{_quoted(one)}" for one in columns if one not in keys)
    return f"{sql} ON CONFLICT ({_list(keys)}) DO UPDATE SET {others}"


@cache
def _update(model: type[Model], names: tuple[str, ...]) -> str:
    changes = ", ".join(f"{_quoted(_column(model, name))} = %s" for name in names)
    key = _quoted(str(model._meta.pk.column))
    return f"UPDATE {_quoted(model._meta.db_table)} SET {changes} WHERE {key} = %s"  # noqa: S608


def _column(model: type[Model], name: str) -> str:
    field: Any = model._meta.get_field(name)
    return str(field.column)


def _list(columns: Sequence[str]) -> str:
    return ", ".join(map(_quoted, columns))


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
