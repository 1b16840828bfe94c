"""Statements that run for every connect or command: Django makes their SQL once, each call only brings its values.

Django's compiler takes 0.3 to 2 ms of Python for a statement; the database answers it in 0.05 ms. The SQL is still that
of the models, so a change of a model changes the statement with it. Rows are written by `common.rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import BigIntegerField, DateTimeField, Field, Model, QuerySet, TextField, UUIDField
from django.db.models.query import get_related_populators
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=Model)
V = TypeVar("V")

_FIELDS: dict[type, Field[Any, Any]] = {
    UUID: UUIDField(),
    datetime: DateTimeField(),
    str: TextField(),
    int: BigIntegerField(),
}

_MARKS: dict[type, Callable[[int], Any]] = {
    UUID: lambda n: UUID(int=0xA5A5_0000_0000_4000_8000_0000_0000_0000 + n),
    datetime: lambda n: datetime(1901, 1, 1, microsecond=n, tzinfo=UTC),
    str: lambda n: f"\0argument {n}",
    int: lambda n: 7_200_915_000_000_000 + n,
}
"""Values that no real statement has: they show where in the SQL the arguments go."""


SIZES = (1, 2, 5, 20, 80, 320, 500)
"""The lengths of lists for which there are statements."""


def padded(values: Sequence[V]) -> list[V]:
    """Return a list for `IN`, made longer by repeating its first value: there are statements for a few lengths only."""
    if not values:
        return []
    size = next((size for size in SIZES if size >= len(values)), len(values))
    return [*values, *[values[0]] * (size - len(values))]


class _Made(msgspec.Struct):
    """A statement for one kind of database: its SQL, its constants, and where in these the arguments go."""

    sql: str
    parameters: list[Any]
    places: list[tuple[int, int]]
    compiler: Any
    converters: Sequence[tuple[int, Any]] = ()


class _Statement:
    """The SQL of what `build` makes of arguments of the given types: UUID, datetime, str or int."""

    def __init__(self, *types: type, build: Callable[..., Any]) -> None:
        self._types = types
        self._build = build
        self._by_vendor: dict[str, _Made] = {}

    @property
    def _made(self) -> _Made:
        return self._by_vendor.get(connection.vendor) or self._make()

    def _make(self) -> _Made:
        marks = [_MARKS[kind](n) for n, kind in enumerate(self._types)]
        compiler = self._compiler(self._build(*marks))
        sql, parameters = compiler.as_sql()
        adapted = self._adapted(marks)
        places = [(place, adapted.index(value)) for place, value in enumerate(parameters) if value in adapted]
        if {argument for _, argument in places} != set(range(len(self._types))):
            raise ValueError("An argument of the query is not in its SQL.")
        columns = [column for column, *_ in getattr(compiler, "select", None) or ()]
        converters = list(compiler.get_converters(columns).items())
        made = self._by_vendor[connection.vendor] = _Made(sql, list(parameters), places, compiler, converters)
        return made

    def _compiler(self, built: Any) -> Any:
        return built.query.get_compiler(connection=connection)

    def _given(self, made: _Made, values: Sequence[Any]) -> list[Any]:
        adapted, given = self._adapted(values), list(made.parameters)
        for place, argument in made.places:
            given[place] = adapted[argument]
        return given

    def _adapted(self, values: Sequence[Any]) -> list[Any]:
        pairs = zip(self._types, values, strict=True)
        return [_FIELDS[kind].get_db_prep_value(value, connection) for kind, value in pairs]


class Prepared(_Statement):
    """A query for tuples: `build` returns a queryset of `values_list`."""

    def first(self, *values: Any) -> tuple[Any, ...] | None:
        """Return the first row for these values; None where there is none."""
        rows = self.rows(*values)
        return rows[0] if rows else None

    def rows(self, *values: Any) -> list[tuple[Any, ...]]:
        """Return all rows for these values."""
        made = self._made
        with connection.cursor() as cursor:
            cursor.execute(made.sql, self._given(made, values))
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return list(_converted(rows, made.converters)) if made.converters else rows


class PreparedObjects(Prepared, Generic[M]):
    """A query for objects: `build` returns a queryset, which may have `select_related` and annotations."""

    def __init__(self, *types: type, build: Callable[..., QuerySet[M]]) -> None:
        super().__init__(*types, build=build)
        self._readers: dict[str, _Reader[M]] = {}

    def one(self, *values: Any) -> M | None:
        """Return the first object for these values; None where there is none."""
        objects = self.all(*values)
        return objects[0] if objects else None

    def all(self, *values: Any) -> list[M]:
        """Return all objects for these values."""
        rows = self.rows(*values)
        if not rows:
            return []
        reader = self._readers.get(connection.vendor)
        if reader is None:
            reader = self._readers[connection.vendor] = _Reader(self._made.compiler)
        return [reader.read(row) for row in rows]


class _Reader(Generic[M]):
    """Makes objects of the rows of a query, as `django.db.models.query.ModelIterable` does."""

    def __init__(self, compiler: Any) -> None:
        info, select = compiler.klass_info, compiler.select
        self._start, self._end = info["select_fields"][0], info["select_fields"][-1] + 1
        self._names = [column[0].target.attname for column in select[self._start : self._end]]
        self._model: type[M] = info["model"]
        self._related = get_related_populators(info, select, connection.alias)  # type: ignore[call-arg]  # stubs of 6.1
        self._annotations = list((compiler.annotation_col_map or {}).items())

    def read(self, row: Sequence[Any]) -> M:
        """Return the object of a row."""
        made = self._model.from_db(connection.alias, self._names, row[self._start : self._end])
        for related in self._related:
            related.populate(row, made)
        for name, place in self._annotations:
            setattr(made, name, row[place])
        return made


class PreparedUpdate(_Statement):
    """An UPDATE: `build` returns a queryset, and what its rows become."""

    def run(self, *values: Any) -> int:
        """Update the rows for these values; return how many there are."""
        made = self._made
        with connection.cursor() as cursor:
            cursor.execute(made.sql, self._given(made, values))
            count: int = cursor.rowcount
        return count

    def _compiler(self, built: Any) -> Any:
        rows, becomes = built
        query = rows.query.chain(UpdateQuery)
        query.add_update_values(becomes)
        return query.get_compiler(connection=connection)


def _converted(rows: Iterable[Sequence[Any]], converters: Sequence[tuple[int, Any]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        values = list(row)
        for place, (functions, column) in converters:
            for function in functions:
                values[place] = function(values[place], column, connection)
        yield tuple(values)
