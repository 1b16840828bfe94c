"""Every migration leaves a database that the version before it can work with."""

from typing import Any

import pytest
from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from tests.migration_lint import problems_of

OURS = ("events", "users", "rides", "realtime")

ALLOWED = {
    ("users", "0002_codes_by_address"): 2,
    ("rides", "0006_searches"): 1,
    ("rides", "0011_street"): 1,
    ("users", "0009_approval_ratings_blocks"): 2,
}
"""Operations that an older version can live with for a reason that no rule sees, each looked at by a person:

- 0002_codes_by_address: released with the first version, which nobody upgrades from.
- 0006_searches: the constraint takes the place of one that allowed less.
- 0011_street: what is owed may be less than nothing; the old version never writes such a cost, and reads it.
- 0009_approval_ratings_blocks: a constraint on new columns, and triggers on a new table.
"""


def test_migrations_are_compatible_one_step_back() -> None:
    """Neither is anything taken away that the old version uses, nor anything demanded that it does not give."""
    loader = MigrationLoader(None)
    found: dict[tuple[str, str], list[str]] = {}
    for key, migration in loader.disk_migrations.items():
        if key[0] in OURS and not migration.initial and key[1] != "0001_initial":
            found[key] = list(problems_of(migration, loader.project_state(key, at_end=False)))
    unexpected = {key: texts for key, texts in found.items() if len(texts) != ALLOWED.get(key, 0)}
    assert not unexpected


def state() -> ProjectState:
    fields: list[tuple[str, Any]] = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=20, null=True)),
        ("count", models.IntegerField(default=0)),
    ]
    project = ProjectState()
    project.add_model(ModelState("rides", "Thing", fields))
    return project


def lint(*wanted: Any) -> list[str]:
    migration = type("Wanted", (Migration,), {"operations": wanted})("0099_wanted", "rides")
    return list(problems_of(migration, state()))


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (operations.RemoveField("thing", "name"), "still uses it"),
        (operations.RenameField("thing", "name", "title"), "still uses it"),
        (operations.RenameModel("Thing", "Item"), "still uses it"),
        (operations.DeleteModel("Thing"), "still uses it"),
        (operations.AlterModelTable("Thing", "items"), "still uses it"),
        (operations.RunSQL("SELECT 1"), "nobody can tell"),
        (operations.RunPython(operations.RunPython.noop), "nobody can tell"),
        (operations.AddField("thing", "size", models.IntegerField(default=0)), "leave it empty"),
        (operations.AlterField("thing", "name", models.CharField(max_length=20)), "may leave it empty"),
        (operations.AlterField("thing", "count", models.IntegerField(unique=True)), "a value twice"),
        (operations.AlterField("thing", "count", models.CharField(max_length=9)), "its type changes"),
        (operations.AlterField("thing", "name", models.CharField(max_length=19, null=True)), "its type changes"),
        (
            operations.AddConstraint(
                "thing", models.CheckConstraint(condition=models.Q(count__gte=0), name="not_negative")
            ),
            "may not keep to it",
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_what_the_version_before_cannot_live_with_is_said(operation: Any, problem: str) -> None:
    """Each kind of such an operation is named, with its reason."""
    [text] = lint(operation)
    assert problem in text


@pytest.mark.parametrize(
    "operation",
    [
        operations.AddField("thing", "size", models.IntegerField(null=True)),
        operations.AddField("thing", "size", models.IntegerField(default=0, db_default=0)),
        operations.AlterField("thing", "name", models.CharField(max_length=21, null=True)),
        operations.AlterField("thing", "count", models.IntegerField(default=1, help_text="How many.")),
        operations.AddIndex("thing", models.Index(fields=["count"], name="thing_count")),
        operations.AlterModelOptions("thing", {"ordering": ["count"]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_it_does_not_notice_is_fine(operation: Any) -> None:
    """Columns that the database fills, wider texts, indexes and words."""
    assert lint(operation) == []


def test_a_new_table_may_be_anything() -> None:
    """The version before knows nothing of it."""
    key: Any = ("id", models.BigAutoField(primary_key=True))
    create = operations.CreateModel("New", [key])
    assert lint(create, operations.AddField("new", "size", models.IntegerField(default=0))) == []
