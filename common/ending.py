"""A process that was told to end does so in time, whatever it waits for.

A thread that waits for a frozen server cannot be cancelled, and Python waits for all threads before it ends.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from datetime import timedelta

from django.conf import settings

logger = logging.getLogger(__name__)

LAST_WORDS = timedelta(seconds=5)
"""Time for the last frames and writes after `SHUTDOWN_TIMEOUT`."""

EXIT_CODE = 128 + signal.SIGTERM
"""How a shell names an end by SIGTERM."""


def end_in_time(notice: timedelta = timedelta()) -> None:
    """End this process when it has not ended by itself `SHUTDOWN_TIMEOUT` and `LAST_WORDS` after the notice."""
    limit = notice + settings.SHUTDOWN_TIMEOUT + LAST_WORDS
    timer = threading.Timer(limit.total_seconds(), _end)
    timer.daemon = True
    timer.start()


def _end() -> None:
    waiting = ", ".join(sorted(thread.name for thread in threading.enumerate() if not thread.daemon))
    logger.warning("Something does not end; ending without it. Running threads: %s", waiting)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_CODE)
