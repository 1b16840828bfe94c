"""Row locks and their order.

SQLite has one lock for the whole database, which a transaction takes when it begins: there these functions do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from common.prepared import Prepared
from rides.models import OPEN_MATCH, Match
from users.models import User


def lock_affairs(user_id: UUID, other_id: UUID | None = None) -> bool:
    """Lock one or two users, and everybody with whom they have an open match, until the transaction ends.

    Every service first locks everybody whose matches and rides it may change. So no two services change the same
    person's matches at once, and the events of a person are numbered in the order in which they happened. Return
    whether others may have changed what the caller has read before, so that it must be read again.
    """
    if not connection.features.has_select_for_update:
        return False
    _AFFAIRS.rows(user_id, other_id or user_id)
    return True


def lock_users(user_ids: Iterable[UUID]) -> bool:
    """Lock the rows of these users until the transaction ends; passengers first, then by id.

    Every transaction locks in this order, so that two of them cannot deadlock: a search locks its passenger first and
    the drivers that it found later. Return the same as `lock_affairs`.
    """
    users = set(user_ids)
    if not users or not connection.features.has_select_for_update:
        return False
    list(_in_order(User.objects.filter(pk__in=users)))
    return True


def _affairs(user_id: UUID, other_id: UUID) -> QuerySet[Any, Any]:
    users = (user_id, other_id)
    open_matches = Match.objects.filter(status__in=OPEN_MATCH).order_by()
    affected = open_matches.filter(driver__in=users).values("passenger")
    affected = affected.union(open_matches.filter(passenger__in=users).values("driver"))
    return _in_order(User.objects.filter(pk__in=affected.union(User.objects.filter(pk__in=users).values("pk"))))


def _in_order(users: QuerySet[User]) -> QuerySet[Any, Any]:
    return users.select_for_update(no_key=True).order_by("-role", "pk").values_list("pk")


_AFFAIRS = Prepared(UUID, UUID, build=_affairs)
