"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

BACKOFF_FIRST = 0.5
"""Seconds of the first wait, before chance shortens it."""

BACKOFF_MAX = 30.0
"""Seconds that no wait exceeds, but for those that the server asks for."""

BACKOFF_LEAST = 0.5
"""The share of a wait that chance leaves at least: phones that fell out together do not come back together."""

RETRY_AFTER_MAX = 300.0
"""Seconds of waiting that a server is believed to mean."""

STABLE_AFTER = 10.0
"""Seconds that a connection must have lived before the waits begin small again."""


class Backoff:
    """Waits that double from `BACKOFF_FIRST` to `BACKOFF_MAX` seconds, each shortened by chance."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()  # noqa: S311
        self._full = BACKOFF_FIRST

    def next(self, *, at_least: float | None = None, announced: float | None = None) -> float:
        """Return the next wait in seconds.

        `at_least` is what the server asked for (`Retry-After`), to which chance adds a little; `announced` is a wait
        that the server has already shared out among its clients, and is taken as it is.
        """
        full, self._full = self._full, min(self._full * 2, BACKOFF_MAX)
        if announced is not None:
            return min(announced, RETRY_AFTER_MAX)
        wait = full * self._rng.uniform(BACKOFF_LEAST, 1)
        if at_least is not None:
            wait = max(wait, min(at_least, RETRY_AFTER_MAX) + self._rng.uniform(0, BACKOFF_FIRST))
        return wait

    def reset(self) -> None:
        """Begin small again."""
        self._full = BACKOFF_FIRST


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header, a number or a date; None where there is none to be read."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
