"""Ratings and blocks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from common import clock
from common.errors import ValidationFailed
from users.models import Block, Rating, User
from users.reasons import UserReason


@transaction.atomic(savepoint=False)
def rating_add(*, ride_id: UUID, booked_at: datetime, rater_id: UUID, rated_id: UUID, stars: int) -> None:
    """Give somebody 1 to 5 stars for a ride. Raises `ValidationFailed` when the rater has done so before.

    It does nothing where the number has had a new owner since the ride was booked: the stars are for somebody else.
    """
    if User.objects.filter(pk=rated_id, owner_since__gt=booked_at).exists():
        return
    try:
        Rating.objects.create(
            ride_id=ride_id, rater_id=rater_id, rated_id=rated_id, stars=stars, created_at=clock.now()
        )
    except IntegrityError as exc:
        raise ValidationFailed(
            _("You have rated this ride already."), reason=UserReason.ALREADY_RATED, field="ride_id"
        ) from exc
    User.objects.filter(pk=rated_id).update(rating_sum=F("rating_sum") + stars, rating_count=F("rating_count") + 1)


@transaction.atomic
def block_add(*, blocker_id: UUID, blocked_id: UUID) -> None:
    """Never again pair these two. Blocking somebody twice changes nothing."""
    Block.objects.get_or_create(blocker_id=blocker_id, blocked_id=blocked_id, defaults={"created_at": clock.now()})
