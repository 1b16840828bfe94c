"""The PIN of a ride: the passenger says it to the driver, so that nobody starts a ride with somebody else."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.core.cache import cache

from common import clock
from common.errors import RateLimited, ValidationFailed
from rides.models import Ride
from rides.reasons import RideReason

WRONG_TRIES = 5
"""Wrong PINs after which no other is tried for `PAUSE`: of 10,000 that gives one in 2,000 a minute."""

PAUSE = 60
MEMORY = 600
"""Seconds: how long the pause is, and after which wrong tries are forgotten.

Both are kept in the cache, since whatever a refused command writes to the database is rolled back.
"""


def pin_make() -> str:
    """Return a PIN for a new ride; empty without `RIDE_PIN`."""
    return f"{secrets.randbelow(10_000):04}" if settings.RIDE_PIN else ""


def pin_check(ride: Ride, pin: str | None) -> None:
    """Raise `ValidationFailed` for a wrong PIN, and `RateLimited` after too many; a ride without a PIN needs none."""
    if not ride.pin:
        return
    if pin is None:
        raise ValidationFailed(
            "pin is needed to start this ride: ask your passenger.", reason=RideReason.PIN_NEEDED, field="pin"
        )
    _refuse_during_pause(ride)
    if not secrets.compare_digest(pin, ride.pin):
        _count_wrong(ride)
        raise ValidationFailed("This is not the PIN of your passenger.", reason=RideReason.WRONG_PIN, field="pin")


def _refuse_during_pause(ride: Ride) -> None:
    until: float = cache.get(f"pin-pause:{ride.pk}", 0.0)
    left = until - clock.timestamp()
    if left > 0:
        raise RateLimited("Too many wrong PINs.", retry_after=left, reason=RideReason.TOO_MANY_WRONG_PINS)


def _count_wrong(ride: Ride) -> None:
    key = f"pin-tries:{ride.pk}"
    cache.add(key, 0, MEMORY)
    if cache.incr(key) >= WRONG_TRIES:
        cache.delete(key)
        cache.set(f"pin-pause:{ride.pk}", clock.timestamp() + PAUSE, PAUSE)
