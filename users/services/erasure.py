"""Ending an account with the data of its person, and what is left of that for later."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from common import clock
from users.models import Erasure, User
from users.personal_data.base import Steps, personal_data

logger = logging.getLogger(__name__)

SETTLED = timedelta(minutes=10)
"""After this time everything that was on its way has been delivered, and what is left can be removed for good."""


@transaction.atomic
def account_erase(*, user_id: UUID) -> None:
    """End an account: the number is free, tokens end, what names the person is gone; the books keep their amounts.

    Tracks, places and events are removed a moment later (`erasure_steps`). Raises `Conflict` for staff, and with a ride
    that is under way or not paid.
    """
    parts = personal_data()
    user = User.objects.get(pk=user_id)
    for part in parts:
        part.check(user)
    for part in parts:
        part.erase(user)
    Erasure.objects.create(user_id=user_id, requested_at=clock.now())
    logger.info("The account of user %s has ended; what is left of their data will be removed.", user_id)


def erasure_steps(user_id: UUID | None = None) -> Steps:
    """Remove what is left of ended accounts (or of one), in small transactions."""
    waiting = Erasure.objects.filter(finished_at__isnull=True).order_by("requested_at")
    if user_id is not None:
        waiting = waiting.filter(user_id=user_id)
    for erasure in list(waiting):
        begun = clock.now()
        for part in personal_data():
            yield from part.erase_rest(erasure.user_id)
        if begun - erasure.requested_at > SETTLED:
            Erasure.objects.filter(pk=erasure.pk).update(finished_at=clock.now())
            logger.info("The data of user %s has been removed.", erasure.user_id)


def expiry_steps() -> Steps:
    """Remove or coarsen what is older than its retention time, in small transactions."""
    for part in personal_data():
        yield from part.expire()
