"""Databases that have all tables, for others to begin on a copy of: a migration costs 3 s of processor.

The tests name them for the benchmarks and stress tests that they run; elsewhere there are none.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

TEMPLATE_DATABASE = "TEMPLATE_DATABASE"
"""The environment variable with the path of an SQLite file."""

TEMPLATE_CLUSTER = "TEMPLATE_CLUSTER"
"""The environment variable with the path of the data of a PostgreSQL that has stopped."""


def copy_database(path: Path) -> bool:
    """Make an SQLite file with all tables; return False where there is none to copy."""
    template = os.environ.get(TEMPLATE_DATABASE)
    if template:
        shutil.copy(template, path)
    return bool(template)


def template_cluster() -> Path | None:
    """Return the data of a PostgreSQL with all tables, if there is one."""
    template = os.environ.get(TEMPLATE_CLUSTER)
    return Path(template) if template else None
