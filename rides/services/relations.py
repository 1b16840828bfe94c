"""What the parties of a ride think of each other afterwards."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from common import clock
from common.errors import ValidationFailed
from rides.models import OPEN_MATCH, Match, Ride, RideStatus
from rides.reasons import RideReason
from rides.services.matches import matches_reject
from rides.services.rides import own_ride, require_status
from users.services import block_add, rating_add

RATING_PERIOD = timedelta(days=7)
"""For how long after its end a ride can be rated."""


@transaction.atomic(savepoint=False)
def ride_rate(*, user_id: UUID, ride_id: UUID, rating: int) -> None:
    """Give the other side of a completed ride 1 to 5 stars, once, within `RATING_PERIOD`.

    The other side is not notified. Raises `ValidationFailed`.
    """
    ride = own_ride(user_id, ride_id, "driver", "passenger")
    require_status(ride, RideStatus.COMPLETED, "rated")
    if ride.completed_at is None or clock.now() - ride.completed_at > RATING_PERIOD:
        raise ValidationFailed(
            _("A ride can be rated for %(days)s days.") % {"days": RATING_PERIOD.days},
            reason=RideReason.RATING_CLOSED,
            field="ride_id",
        )
    rated_id = other_side(ride, user_id)
    rating_add(ride_id=ride.pk, booked_at=ride.created_at, rater_id=user_id, rated_id=rated_id, stars=rating)


@transaction.atomic
def ride_block(*, user_id: UUID, ride_id: UUID) -> None:
    """Never again pair a user with the other side of a ride, whatever became of it.

    Open offers between the two are withdrawn; a ride under way goes on. Raises `ValidationFailed`.
    """
    ride = own_ride(user_id, ride_id, "driver", "passenger")
    other_id = other_side(ride, user_id)
    block_add(blocker_id=user_id, blocked_id=other_id)
    pair = (user_id, other_id)
    matches_reject(Match.objects.filter(status__in=OPEN_MATCH, driver__in=pair, passenger__in=pair), "cancelled")


def other_side(ride: Ride, user_id: UUID) -> UUID:
    """Return the other party of a ride."""
    return ride.passenger_id if user_id == ride.driver_id else ride.driver_id
