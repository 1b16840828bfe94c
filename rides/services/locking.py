"""Row locks and their order."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from rides.models import OPEN_MATCH, Match
from users.models import User


def lock_affairs(*user_ids: UUID) -> None:
    """Lock these users, and everybody with whom they have an open match, until the transaction ends.

    Every service first locks everybody whose matches and rides it may change. So no two services change the same
    person's matches at once, and the events of a person are numbered in the order in which they happened.
    """
    open_matches = Match.objects.filter(status__in=OPEN_MATCH)
    pairs = open_matches.filter(Q(driver__in=user_ids) | Q(passenger__in=user_ids)).values_list("driver", "passenger")
    lock_users({*user_ids, *(user_id for pair in pairs for user_id in pair)})


def lock_users(user_ids: Iterable[UUID]) -> None:
    """Lock the rows of these users until the transaction ends; passengers first, then by id.

    Every transaction locks in this order, so that two of them cannot deadlock: a search locks its passenger first and
    the drivers that it found later. (SQLite has one lock for the whole database and needs none of this.)
    """
    rows = User.objects.select_for_update(no_key=True).filter(pk__in=set(user_ids)).order_by("-role", "pk")
    list(rows.values_list("pk"))
