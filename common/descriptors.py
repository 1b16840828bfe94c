"""File descriptors: how many this process may have, and what it needs of them beside its connections."""

from __future__ import annotations

import resource

from django.conf import settings

BASE = 42
"""Those of an idle server with all of its own threads for the database, and with health and metrics being asked."""

OF_A_REQUEST = 3
"""Those of an HTTP request that is being handled: SQLite's file and its log, and one for a moment."""

REQUESTS_SHARE = 32
"""One HTTP request at once for so many descriptors, up to `HTTP_THREADS`."""


def allowed() -> int:
    """Return how many this process may have."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if limit == resource.RLIM_INFINITY else limit


def requests_at_once() -> int:
    """Return how many HTTP requests may be handled at once: `HTTP_THREADS`, or fewer where descriptors are short."""
    return min(settings.HTTP_THREADS, max(1, allowed() // REQUESTS_SHARE))


def needed() -> int:
    """Return how many are needed for anything but connections."""
    return BASE + OF_A_REQUEST * requests_at_once()
