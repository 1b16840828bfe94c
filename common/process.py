"""What a process has one of: its backends and its collections, each made when it is first asked for.

`settings.BACKENDS` names the class of each backend; nothing else chooses between the two ways to run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

T = TypeVar("T")


class Process:
    """The objects of one process; for any thread."""

    def __init__(self) -> None:
        self._lock = RLock()  # making one may ask for another
        self._made: dict[Hashable, Any] = {}

    def one(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the object of this key; the first caller makes it."""
        made: T | None = self._made.get(key)
        if made is None:
            with self._lock:
                made = self._made.get(key)
                if made is None:
                    made = self._made[key] = make()
        return made

    def backend(self, role: str, *arguments: str) -> Any:
        """Return the backend that `settings.BACKENDS` names for a role, one for each list of arguments."""
        return self.one((role, *arguments), lambda: import_string(settings.BACKENDS[role])(*arguments))

    def reset(self) -> None:
        """Forget everything, as in a process that has just started."""
        with self._lock:
            self._made.clear()


process = Process()
