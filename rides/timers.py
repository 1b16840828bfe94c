"""Timers: offers that expire, searches that continue and rides that do not start.

Due times are columns (`Match.expires_at`, `Finder.due_at`, `Ride.created_at` and a period). The service that acts on a
row checks under lock that it is still due, so any number of processes may poll and one of them acts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from common import clock
from common.db import AWAY, database_now
from common.prepared import Prepared
from common.process import process
from rides.matching import OfferDecision
from rides.models import OPEN_MATCH, Finder, FinderStatus, Match, Ride, RideStatus
from rides.services.approval import beacons_barred
from rides.services.beacons import beacon_update
from rides.services.finders import finder_continue
from rides.services.matches import match_expire
from rides.services.people import people_to_close, person_close
from rides.services.rides import ride_cancel_overdue
from rides.windows import plan, window_after, window_begun

logger = logging.getLogger(__name__)

BATCH = 200
"""Rows handled per poll, so that a backlog does not delay the rest."""

RETRY_AFTER = 10.0
"""Seconds for which a row that failed is left alone: a batch of such rows must not keep all others from their turn."""


def run_due() -> int:
    """Do everything that is due now; return the number of rows handled."""
    # Also by the database itself: this process may not have measured its clock yet, and must not end every offer.
    now = min(clock.now(), database_now())
    matches = Match.objects.filter(status__in=OPEN_MATCH, expires_at__lte=now).order_by("expires_at")
    expired = _each(_ids(matches), lambda pk: match_expire(match_id=pk))
    continued = _continue_searches(now)
    overdue = Ride.objects.filter(status=RideStatus.PICKUP, created_at__lte=now - settings.PICKUP_TIMEOUT)
    cancelled = _each(_ids(overdue), lambda pk: ride_cancel_overdue(ride_id=pk))
    return expired + continued + cancelled


def next_due() -> datetime | None:
    """Return when `run_due` next has something to do; None while there is nothing that will be due."""
    dues: list[datetime] = [expires_at for (expires_at,) in _NEXT_OFFER.rows()]
    dues += [created_at + settings.PICKUP_TIMEOUT for (created_at,) in _NEXT_PICKUP.rows()]
    dues += [window_after(due_at) for (due_at,) in _NEXT_SEARCH.rows()]
    return min(dues, default=None)


def _earliest(waiting: QuerySet[Any], column: str) -> Prepared:
    """Return a query for the earliest time in a column; every process asks it each second."""
    return Prepared(build=lambda: waiting.order_by(column).values_list(column)[:1])


_NEXT_OFFER = _earliest(Match.objects.filter(status__in=OPEN_MATCH), "expires_at")
_NEXT_PICKUP = _earliest(Ride.objects.filter(status=RideStatus.PICKUP), "created_at")
_NEXT_SEARCH = _earliest(Finder.objects.filter(status=FinderStatus.OPEN), "due_at")


def _continue_searches(now: datetime) -> int:
    """Continue the searches that are due, those of a window together."""
    due_by = window_begun(now)
    finders = Finder.objects.filter(status=FinderStatus.OPEN, due_at__lte=due_by).order_by("due_at")
    ids = _ids(finders)
    planned = _plan(ids, now) if settings.MATCH_WINDOW and ids else {}
    return _each(ids, lambda pk: finder_continue(finder_id=pk, due_by=due_by, planned=planned.get(pk)))


def _plan(finder_ids: Collection[UUID], now: datetime) -> dict[UUID, list[OfferDecision]]:
    """Return the plan of a window; where there is none, each search looks for itself."""
    try:
        return plan(list(Finder.objects.filter(pk__in=finder_ids)), now)
    except Exception:
        logger.exception("%d searches could not be matched together; each looks for itself.", len(finder_ids))
        return {}


def close_deactivated() -> int:
    """End what deactivated people have open; the service that deactivates does so itself, and at once.

    The beacons of drivers who may not drive any more go off as well: on the day after a paper was valid, at midnight.
    """
    closed = _each(people_to_close(BATCH), lambda pk: person_close(user_id=pk))
    return closed + _each(beacons_barred(BATCH), lambda pk: beacon_update(user_id=pk, is_active=False))


def _ids(rows: QuerySet[Any]) -> list[UUID]:
    """Return the keys of the first rows, without those that have failed a moment ago."""
    now, failed = time.monotonic(), _failed()
    for pk in [pk for pk, at in failed.items() if at <= now - RETRY_AFTER]:
        del failed[pk]
    return list(rows.exclude(pk__in=list(failed)).values_list("pk", flat=True)[:BATCH])


def _failed() -> dict[UUID, float]:
    """Return what has failed in this process, and when."""
    return process.one(_failed, dict)


def _each(ids: Iterable[UUID], act: Callable[[UUID], object]) -> int:
    """Act on each row in its own transaction, so that a failing row does not block the others."""
    done = 0
    for pk in list(ids):
        try:
            act(pk)
        except AWAY:  # or a row that somebody holds: the others have their turn first
            _failed()[pk] = time.monotonic()
            raise
        except Exception:
            logger.exception("Timer for %s failed; it will be retried.", pk)
            _failed()[pk] = time.monotonic()
        else:
            done += 1
    return done
