"""Where a phone is for those who look for it: matching, the start of a ride, the other party's map.

`sightings` is strict, as money needs it. Here a phone that has just woken up, or whose network told it a first place,
may find itself somewhere else nearby; one that reports steadily may not, so that a reflection moves nobody.
"""

from __future__ import annotations

import msgspec

from rides.metering.fixes import Fix, Limits, Reason, leg
from rides.metering.sightings import Sighting, sight

LOST_M = 10_000.0
"""Metres by which a first place may be wrong, where a phone takes it from the network before it has a fix."""
STEADY, STEADY_GAP_S = 5, 0.3
"""Plausible fixes in a row, with seconds between them, after which a jump is none of a phone that was lost."""


class Whereabouts(msgspec.Struct, frozen=True):
    """The fix that is shown and when it was made (the server's clock), and the last one that is beyond doubt."""

    fix: Fix
    at: float
    sighting: Sighting
    steady: int = 0

    @property
    def is_phone_time_good(self) -> bool:
        """Whether the phone's clock is right, as far as delays of a network let us see."""
        return self.fix.phone_time is not None and abs(self.fix.phone_time - self.at) < GOOD_CLOCK_S

    @property
    def shown_at(self) -> float:
        """When it was made, as it is told to others: by the phone's clock where that is right."""
        return self.fix.phone_time if self.is_phone_time_good and self.fix.phone_time is not None else self.at


GOOD_CLOCK_S = 2.0


def locate(last: Whereabouts | None, fix: Fix, limits: Limits) -> tuple[Whereabouts | None, Reason]:
    """Return where a phone is after a fix, and why the fix is not shown, if it is not."""
    sighting, reason = sight(last.sighting if last else None, fix, limits)
    if sighting is None:
        return last, reason
    if last is None:
        return Whereabouts(fix, sighting.at, sighting), reason
    if not reason:
        apart = fix.received_at - last.fix.received_at >= STEADY_GAP_S
        steady = 0 if sighting.jumped else last.steady + apart
        return Whereabouts(fix, max(sighting.at, last.at), sighting, steady), ""
    if reason == "too_fast" and last.steady < STEADY and is_near(sighting.fix, fix):
        return Whereabouts(fix, max(sighting.refused_at, last.at), sighting, last.steady), ""
    return msgspec.structs.replace(last, sighting=sighting), reason


def is_near(a: Fix, b: Fix) -> bool:
    """Tell whether a phone that was lost may have been at one of these places and found itself at the other."""
    return abs(leg(a, b)) <= LOST_M
