"""Waking whoever relays the outbox, when something was committed in this process."""

from __future__ import annotations

from collections.abc import Callable

_listeners: set[Callable[[], None]] = set()


def listen(listener: Callable[[], None]) -> None:
    """Call `listener`, which must be safe to call from any thread, after each commit of an event."""
    _listeners.add(listener)


def ignore(listener: Callable[[], None]) -> None:
    """Do not call `listener` any more."""
    _listeners.discard(listener)


def wake_relay() -> None:
    """Call the listeners; may be called from any thread."""
    for listener in tuple(_listeners):
        listener()
