"""The address of the database of the tests, for processes that are to work on it."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from django.db import connection


def database_url(name: str | None = None) -> str:
    """Return what DATABASE_URL takes; `name` is that of another database on the same server."""
    found = name or str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{found}"
    return urlsplit(os.environ["TESTS_DATABASE_URL"])._replace(path=f"/{found}").geturl()
