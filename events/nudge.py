"""Telling the relay of this process that something was committed."""

from __future__ import annotations

from collections.abc import Callable

_listeners: set[Callable[[], None]] = set()


def listen(listener: Callable[[], None]) -> None:
    """Call `listener`, which must be safe to call from any thread, at every nudge."""
    _listeners.add(listener)


def ignore(listener: Callable[[], None]) -> None:
    """Do not call `listener` any more."""
    _listeners.discard(listener)


def nudge() -> None:
    """Wake the relay of this process, if it has one; may be called from any thread."""
    for listener in tuple(_listeners):
        listener()
