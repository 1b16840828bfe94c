"""Threads that call the servers of others, such as a provider of text messages: nothing waits for what these take."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

from django.db import connections

from common.errors import brief
from common.retrying import Repetition

logger = logging.getLogger(__name__)


class Senders:
    """So many threads for one kind of call, and so many calls that wait at most: more are not taken.

    A server that hangs holds up nobody else and fills no memory. What a call raises is logged, without a traceback and
    once a minute by reason.
    """

    def __init__(self, what: str, *, threads: int, waiting: int) -> None:
        self._what, self._count = what, threads
        self._threads = self._make()
        self._room = BoundedSemaphore(waiting)
        self._repetition = Repetition()

    def put(self, call: Callable[[], object]) -> bool:
        """Make a call soon; return False where too many wait."""
        if not self._room.acquire(blocking=False):
            if self._repetition.is_new(""):
                logger.warning("Too many of these wait, one is dropped: %s", self._what)
            return False
        self._threads.submit(self._work, call)
        return True

    def settle(self) -> None:
        """Wait until all calls have been made."""
        self._threads.shutdown()
        self._threads = self._make()

    def _make(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._count, thread_name_prefix=self._what)

    def _work(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as exc:
            if self._repetition.is_new(reason := brief(exc)):
                logger.error("Could not send (%s): %s", self._what, reason)
        finally:
            self._room.release()
            connections.close_all()
