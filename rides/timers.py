"""What is due: proposals that expire, searches that go on, and records that are no longer kept.

The times stand in the rows themselves (`Match.expires_at`, `Finder.due_at`); each is taken by a service that checks,
under lock, that it is still due. So any number of processes may look, and one of them acts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from uuid import UUID

from django.utils import timezone

from rides.models import OPEN_MATCH, Finder, FinderStatus, Match
from rides.services.finders import finder_continue
from rides.services.matches import match_expire

logger = logging.getLogger(__name__)

BATCH = 200
"""Rows taken at a time, so that a backlog does not hold up the rest."""


def run_due() -> int:
    """Do everything that is due now; return how many rows were looked after."""
    now = timezone.now()
    matches = Match.objects.filter(status__in=OPEN_MATCH, expires_at__lte=now).order_by("expires_at")
    expired = _each(matches.values_list("pk", flat=True)[:BATCH], lambda pk: match_expire(match_id=pk))
    finders = Finder.objects.filter(status=FinderStatus.OPEN, due_at__lte=now).order_by("due_at")
    continued = _each(finders.values_list("pk", flat=True)[:BATCH], lambda pk: finder_continue(finder_id=pk))
    return expired + continued


def _each(ids: Iterable[UUID], act: Callable[[UUID], object]) -> int:
    """Act on each row in a transaction of its own: one that fails does not keep the others waiting."""
    done = 0
    for pk in list(ids):
        try:
            act(pk)
        except Exception:
            logger.exception("A timer failed for %s; it is tried again.", pk)
        else:
            done += 1
    return done
