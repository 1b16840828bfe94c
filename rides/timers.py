"""Timers: offers that expire and searches that continue.

Due times are columns (`Match.expires_at`, `Finder.due_at`). The service that acts on a row checks under lock that it is
still due, so any number of processes may poll and one of them acts.
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
"""Rows handled per poll, so that a backlog does not delay the rest."""


def run_due() -> int:
    """Do everything that is due now; return the number of rows handled."""
    now = timezone.now()
    matches = Match.objects.filter(status__in=OPEN_MATCH, expires_at__lte=now).order_by("expires_at")
    expired = _each(matches.values_list("pk", flat=True)[:BATCH], lambda pk: match_expire(match_id=pk))
    finders = Finder.objects.filter(status=FinderStatus.OPEN, due_at__lte=now).order_by("due_at")
    continued = _each(finders.values_list("pk", flat=True)[:BATCH], lambda pk: finder_continue(finder_id=pk))
    return expired + continued


def _each(ids: Iterable[UUID], act: Callable[[UUID], object]) -> int:
    """Act on each row in its own transaction, so that a failing row does not block the others."""
    done = 0
    for pk in list(ids):
        try:
            act(pk)
        except Exception:
            logger.exception("Timer for %s failed; it will be retried.", pk)
        else:
            done += 1
    return done
