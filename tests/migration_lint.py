"""Whether a migration lets the version before it go on working: during a rolling upgrade both run on one database.

The old code reads and writes the columns that it knows, and leaves out those that it does not. So nothing it knows may
be taken away or renamed, and what is added must be filled by the database. What is to go, goes one release after the
code has stopped using it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection, models
from django.db.migrations import Migration, operations
from django.db.migrations.state import ProjectState

TAKEN_AWAY = (
    operations.RemoveField,
    operations.DeleteModel,
    operations.RenameField,
    operations.RenameModel,
    operations.AlterModelTable,
)
UNKNOWN = (operations.RunSQL, operations.RunPython, operations.SeparateDatabaseAndState)


def problems_of(migration: Migration, state: ProjectState) -> Iterator[str]:
    """Say of each operation that the version before could not live with which one it is, and why.

    `state` is that of the models before the migration; it is brought to that after it.
    """
    new: set[str] = set()
    for operation in migration.operations:
        name = str(getattr(operation, "model_name", getattr(operation, "name", ""))).lower()
        if isinstance(operation, operations.CreateModel):
            new.add(name)
        elif name not in new and (problem := _problem(operation, migration.app_label, state)):
            yield f"{operation.describe()}: {problem}"
        operation.state_forwards(migration.app_label, state)


def _problem(operation: Any, app_label: str, state: ProjectState) -> str:
    if isinstance(operation, TAKEN_AWAY):
        return "the version before still uses it"
    if isinstance(operation, UNKNOWN):
        return "nobody can tell what it does"
    if isinstance(operation, operations.AddConstraint):
        return "the version before may not keep to it"
    if isinstance(operation, operations.AddField):
        return "" if _is_filled_by_itself(operation.field) else "the version before would leave it empty"
    if isinstance(operation, operations.AlterField):
        old = state.models[app_label, operation.model_name.lower()].fields[operation.name]
        return _narrowed(old, operation.field)
    return ""


def _is_filled_by_itself(field: models.Field[Any, Any]) -> bool:
    return bool(field.null or field.many_to_many or field.db_default is not models.NOT_PROVIDED)


def _narrowed(old: models.Field[Any, Any], new: models.Field[Any, Any]) -> str:
    if old.null and not new.null:
        return "the version before may leave it empty"
    if new.unique and not old.unique:
        return "the version before may write a value twice"
    types = [_kind(field) for field in (old, new)]
    return "" if types[0] == types[1] or _is_wider(old, new) else f"its type changes from {types[0]} to {types[1]}"


def _kind(field: models.Field[Any, Any]) -> tuple[str, Any]:
    return field.get_internal_type(), field.db_parameters(connection)["type"]


def _is_wider(old: models.Field[Any, Any], new: models.Field[Any, Any]) -> bool:
    """Return whether a text may only be longer than before."""
    same = old.get_internal_type() == new.get_internal_type() == "CharField"
    return same and (new.max_length or 0) >= (old.max_length or 0)
