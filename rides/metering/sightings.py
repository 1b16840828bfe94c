"""Where a phone is now: its last plausible fix, kept one fix at a time.

For everything that cannot wait for the whole ride: matching, the start of a ride, the map, the running estimate. A fix
that is unusable, older than the one it would replace or further away than the vehicle can be is refused. One bad fix
that was believed must not make all good ones implausible: when several refused fixes agree with each other, they are
right.
"""

from __future__ import annotations

import math

import msgspec

from rides.metering.fixes import Fix, Limits, Reason, accuracy_of, leg, unusable

AGREEING = 4
"""Refused fixes in a row that must agree to be believed; a cell tower or a reflection gives one to three."""
STEADY_S = 2.0
"""Seconds by which the delays of fixes may differ whose clock was set back."""
FEIGNED = 4.0
"""Times its standard deviation that noise is believed, as in `outliers`."""
UNKNOWN_ACCURACY_M = 10.0
BACKLOG_GAP_S = 60.0
"""Seconds that the phone's clock may say more between two fixes than there were between their arrivals."""


class Sighting(msgspec.Struct, frozen=True):
    """The last plausible fix and when it was made (the server's clock), and what was refused since.

    `clock_error` is the least difference so far between arrival and phone time on this connection. `jumped` tells that
    the fix is somewhere else than the one before, without a way in between.
    """

    fix: Fix
    at: float
    clock_error: float | None = None
    connection: str = ""
    refused: Fix | None = None
    refused_at: float = 0.0
    refused_since: Fix | None = None
    agreeing: int = 0
    jumped: bool = False

    def time_of(self, fix: Fix) -> float:
        """Return when a fix was made, as well as its phone's clock is known."""
        if fix.phone_time is None or self.clock_error is None or fix.connection != self.connection:
            return fix.received_at
        return min(fix.received_at, fix.phone_time + self.clock_error)


def sight(last: Sighting | None, fix: Fix, limits: Limits) -> tuple[Sighting | None, Reason]:
    """Return the last plausible fix after a new one has come in, and why the new one was refused, if it was."""
    if reason := unusable(fix, limits):
        return last, reason
    error = _clock_error(last, fix)
    at = fix.received_at if error is None or fix.phone_time is None else fix.phone_time + error
    if last is None:
        return Sighting(fix, at, error, fix.connection), ""
    if at < last.at:
        return _refused(last, fix, at, "late", again=_is_steady(last, fix), error=error)
    if limits.max_speed_kmh and not _reachable(last.fix, fix, _between(last, fix, at), limits):
        again = last.refused is not None and _reachable(last.refused, fix, abs(at - last.refused_at), limits)
        return _refused(last, fix, at, "too_fast", again=again, error=error)
    return Sighting(fix, at, error, fix.connection), ""


def _clock_error(last: Sighting | None, fix: Fix) -> float | None:
    if fix.phone_time is None:
        return last.clock_error if last and last.connection == fix.connection else None
    lag = fix.received_at - fix.phone_time
    if last is None or last.clock_error is None or last.connection != fix.connection:
        return lag
    return min(lag, last.clock_error)


def _refused(
    last: Sighting, fix: Fix, at: float, reason: Reason, *, again: bool, error: float | None
) -> tuple[Sighting, Reason]:
    """Refuse a fix, or believe it where it is not the first that says so."""
    agreeing = last.agreeing + 1 if again else 1
    since = last.refused_since if again and last.refused_since else fix
    is_burst = reason == "late" and fix.received_at - since.received_at < STEADY_S
    if agreeing < AGREEING or is_burst:
        kept = error if reason == "too_fast" else last.clock_error
        refused = {"refused": fix, "refused_at": at, "refused_since": since, "agreeing": agreeing}
        return msgspec.structs.replace(last, **refused, clock_error=kept), reason
    if reason == "late" and fix.phone_time is not None:  # the phone's clock was set back
        lag = fix.received_at - fix.phone_time
        return Sighting(fix, fix.received_at, lag, fix.connection), ""
    return Sighting(fix, at, error, fix.connection, jumped=True), ""


def _is_steady(last: Sighting, fix: Fix) -> bool:
    """Tell whether a fix was held up about as long as the first of those refused before it."""
    since = last.refused_since
    if since is None or since.phone_time is None or fix.phone_time is None:
        return False
    return abs((fix.received_at - since.received_at) - (fix.phone_time - since.phone_time)) < STEADY_S


def _between(last: Sighting, fix: Fix, at: float) -> float:
    """Return the seconds between the last fix and another, by the phone's clock where that says a little more.

    A backlog comes in at once, and each fix of it is taken for new.
    """
    apart = at - last.at
    if fix.phone_time is None or last.fix.phone_time is None or fix.connection != last.fix.connection:
        return apart
    return min(max(apart, fix.phone_time - last.fix.phone_time), apart + BACKLOG_GAP_S)


def _reachable(a: Fix, b: Fix, seconds: float, limits: Limits) -> bool:
    noise = FEIGNED * math.hypot(accuracy_of(a) or UNKNOWN_ACCURACY_M, accuracy_of(b) or UNKNOWN_ACCURACY_M)
    return abs(leg(a, b)) <= limits.max_speed_kmh / 3.6 * seconds + noise
