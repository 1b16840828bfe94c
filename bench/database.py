"""What benchmarks put into a database, and what they find there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from devservers.templates import copy_database
from users.models import Role, User
from users.tokens import tokens_issue


def use_database(path: Path) -> None:
    """Let this process work on an SQLite file, with all tables; nothing may be connected to another one."""
    connection.close()
    connection.settings_dict["NAME"] = str(path)
    if not copy_database(path):
        call_command("migrate", verbosity=0)


def make_people(count: int) -> list[str]:
    """Make users, every other one a driver, and return their access tokens."""
    roles = (Role.DRIVER, Role.PASSENGER)
    users = [User(msisdn=f"+62812{n:08d}", role=roles[n % 2], password="!") for n in range(count)]  # noqa: S106
    User.objects.bulk_create(users, 500)
    return [tokens_issue(user)["access"] for user in users]


def count_rows(database: Path) -> dict[str, int]:
    """Return the number of rows of each table."""
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}  # noqa: S608
