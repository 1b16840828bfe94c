"""Tells a driver, while driving, that the phone's fixes or its clock are of no use, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from common.errors import DomainError, ValidationFailed
from realtime.contract.reasons import SocketReason
from rides.metering.fixes import Reason
from rides.metering.sightings import Sighting

EVERY_S = 60.0
"""Seconds between two warnings on one connection."""
IN_A_ROW = 3
"""Fixes in a row that are refused before anything is said: one is ordinary."""
CLOCK_S, SEEN_S = 30.0, 2.0
"""Seconds by which a clock is worth a word, and for which its fixes must have come in: a backlog comes at once."""

WHAT_TO_DO: Mapping[Reason, tuple[SocketReason, str, str]] = {
    "no_fix": (
        SocketReason.NO_POSITION,
        "latitude",
        "Your phone has no position: allow the app to use your precise location.",
    ),
    "inaccurate": (
        SocketReason.INACCURATE_POSITIONS,
        "accuracy",
        "Your positions are too inaccurate to be billed: allow precise location, turn GPS on.",
    ),
    "late": (
        SocketReason.LATE_POSITIONS,
        "timestamp",
        "Your positions come in older than those before: check the phone's date and time.",
    ),
    "too_fast": (
        SocketReason.JUMPING_POSITIONS,
        "latitude",
        "Your positions jump further than a vehicle drives: close apps that change the location.",
    ),
}


class PositionWarnings:
    """The warnings of one connection."""

    def __init__(self, send: Callable[[DomainError], Awaitable[None]]) -> None:
        self._send = send
        self._refused = 0
        self._counted = 0
        self._first_at: float | None = None
        self._quiet_until = float("-inf")

    async def note(self, sighting: Sighting | None, reason: Reason, received_at: float) -> None:
        """Take what became of a fix; send a warning where one is due."""
        self._refused = self._refused + 1 if reason else 0
        self._counted += 1
        self._first_at = received_at if self._first_at is None else self._first_at
        warning = self._of_fixes(reason) or self._of_clock(sighting, received_at - self._first_at)
        if warning is not None and time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + EVERY_S
            await self._send(warning)

    def _of_fixes(self, reason: Reason) -> DomainError | None:
        if self._refused < IN_A_ROW or reason not in WHAT_TO_DO:
            return None
        word, field, text = WHAT_TO_DO[reason]
        return ValidationFailed(text, reason=word, field=field)

    def _of_clock(self, sighting: Sighting | None, seen_s: float) -> DomainError | None:
        error = sighting.clock_error if sighting else None
        if error is None or abs(error) <= CLOCK_S or self._counted < IN_A_ROW or seen_s < SEEN_S:
            return None
        way = "behind" if error > 0 else "ahead"
        text = f"Your phone's clock is {abs(error):.0f} s {way}: turn on automatic date and time."
        return ValidationFailed(text, reason=SocketReason.WRONG_CLOCK, field="timestamp")
