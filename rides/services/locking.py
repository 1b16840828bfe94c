"""Row locks and their order.

SQLite has one lock for the whole database, which a transaction takes when it begins: there these functions do nothing.

Every service first locks everybody whose matches and rides it may change: its users, and whoever has an open match with
one of them. So no two services change the same person's matches at once, and the events of a person are numbered in the
order in which they happened. What a service reads before, others may have changed; so it locks first.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from common.prepared import Prepared, padded
from rides.models import OPEN_MATCH, Match, Ride
from users.acting import check_locked
from users.models import User


def lock_affairs(user_id: UUID, other_id: UUID | None = None) -> None:
    """Lock one or two users, and everybody with whom they have an open match, until the transaction ends."""
    _lock(_AFFAIRS, user_id, other_id or user_id)


def lock_match(match_id: UUID, user_id: UUID | None = None) -> None:
    """Lock the affairs of both sides of a match; with `user_id` only where that is one of them."""
    _lock(_OF_OWN_MATCH, match_id, user_id) if user_id else _lock(_OF_MATCH, match_id)


def lock_ride(ride_id: UUID, user_id: UUID | None = None) -> None:
    """Lock the affairs of both sides of a ride; with `user_id` only where that is one of them."""
    _lock(_OF_OWN_RIDE, ride_id, user_id) if user_id else _lock(_OF_RIDE, ride_id)


def lock_users(user_ids: Iterable[UUID]) -> bool:
    """Lock the rows of these users until the transaction ends; passengers first, then by id.

    Every transaction locks in this order, so that two of them cannot deadlock: a search locks its passenger first and
    the drivers that it found later. Return whether others may have changed what the caller has read of them before.
    """
    users = padded(list(set(user_ids)))
    if not users or not connection.features.has_select_for_update:
        return False
    _users_query(len(users)).rows(*users)
    return True


def _lock(affairs: Prepared, *ids: UUID) -> None:
    """Lock users in the common order; raise `Unauthorized` when the token on whose behalf this is does not hold."""
    if connection.features.has_select_for_update:
        check_locked(affairs.rows(*ids))


def _affairs(users: Any) -> QuerySet[Any, Any]:
    """Return these users, given by their ids or a query for them, and those with whom they have an open match."""
    open_matches = Match.objects.filter(status__in=OPEN_MATCH).order_by()
    affected = open_matches.filter(driver__in=users).values("passenger")
    affected = affected.union(open_matches.filter(passenger__in=users).values("driver"))
    themselves = User.objects.filter(pk__in=users).order_by().values("pk")
    return _in_order(User.objects.filter(pk__in=affected.union(themselves)))


def _sides(rows: QuerySet[Any]) -> QuerySet[Any, Any]:
    return rows.order_by().values("driver").union(rows.order_by().values("passenger"))


def _in_order(users: QuerySet[User]) -> QuerySet[Any, Any]:
    locked = users.select_for_update(no_key=True).order_by("-role", "pk")
    return locked.values_list("pk", "role", "token_version", "is_active")


@cache
def _users_query(count: int) -> Prepared:
    return Prepared(*[UUID] * count, build=lambda *users: _in_order(User.objects.filter(pk__in=users)))


def _own(user_id: UUID) -> Q:
    return Q(driver=user_id) | Q(passenger=user_id)


_AFFAIRS = Prepared(UUID, UUID, build=lambda *users: _affairs(users))
_OF_MATCH = Prepared(UUID, build=lambda pk: _affairs(_sides(Match.objects.filter(pk=pk))))
_OF_OWN_MATCH = Prepared(UUID, UUID, build=lambda pk, user: _affairs(_sides(Match.objects.filter(_own(user), pk=pk))))
_OF_RIDE = Prepared(UUID, build=lambda pk: _affairs(_sides(Ride.objects.filter(pk=pk))))
_OF_OWN_RIDE = Prepared(UUID, UUID, build=lambda pk, user: _affairs(_sides(Ride.objects.filter(_own(user), pk=pk))))
