"""What is raised while a server that we need is unavailable: worth a line, but no traceback.

These are functions, and `except unavailable():` calls them only where something was raised: a process that stands on
SQLite alone never loads the client of Redis.
"""

from __future__ import annotations

import sys

from common.db import AWAY
from common.retrying import Errors


def redis_away() -> tuple[type[Exception], ...]:
    """Return what the client of Redis raises; nothing in a process that has not loaded it."""
    if "redis" not in sys.modules:
        return ()
    from common.redis import AWAY as REDIS_AWAY  # not before it is needed, as said above

    return REDIS_AWAY


def unavailable() -> Errors:
    """Return what is raised while Redis or the database is unavailable."""
    return (*redis_away(), *AWAY)
