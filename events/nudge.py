"""Telling the relay of this process that something was committed."""

from __future__ import annotations

from collections.abc import Callable

_listener: Callable[[], None] | None = None


def listen(listener: Callable[[], None] | None) -> None:
    """Call `listener`, which must be safe to call from any thread, at every nudge; None ends it."""
    global _listener
    _listener = listener


def nudge() -> None:
    """Wake the relay of this process, if it has one; may be called from any thread."""
    if _listener is not None:
        _listener()
