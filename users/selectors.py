"""Reading users."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import DateTimeField, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from common.text import with_ascii_digits, without_format_characters
from users.models import Approval, Block, Driver, User
from users.names import spellings
from users.phone import normalise_msisdn

NUMBER = re.compile(r"[\d\s+().\-/]*\d[\d\s+().\-/]*")
"""A phone number, or a part of one, as people write it."""


def people_found(text: str, *, by_parts: bool) -> QuerySet[User]:
    """Return the users whom staff mean by `text`: an id, a phone number in any spelling or a part of it, or names.

    All words must be in the name, in any order. Empty text finds everybody. `by_parts` is for staff who may see whole
    numbers: others could find out the hidden digits one by one.
    """
    if "\x00" in text:  # PostgreSQL refuses it
        return User.objects.none()
    with suppress(ValueError):
        return User.objects.filter(pk=UUID(text.strip()))
    wanted = Q()
    for word in text.split():
        wanted &= reduce(or_, (Q(full_name__icontains=spelling) for spelling in spellings(word)))
    number = with_ascii_digits(without_format_characters(text)).strip()
    if NUMBER.fullmatch(number):
        if by_parts:
            wanted |= Q(msisdn__contains=re.sub(r"\D", "", number).lstrip("0"))
        with suppress(ValueError):
            wanted |= Q(msisdn=normalise_msisdn(number))
    return User.objects.filter(wanted)


def may_see_numbers(actor: User | AnonymousUser) -> bool:
    """Return whether staff may see whole phone numbers."""
    return actor.has_perm("users.view_msisdn")


def drivers_barred() -> QuerySet[Driver]:
    """Return the drivers who may not drive: those for whom `may_drive` is false."""
    unwanted = {Approval.REFUSED, Approval.PENDING} if settings.DRIVER_APPROVAL else {Approval.REFUSED}
    return Driver.objects.filter(Q(approval__in=unwanted) | Q(papers_until__lt=timezone.localdate()))


def blocked_among(user_id: UUID, others: Collection[UUID]) -> set[UUID]:
    """Return those of the others whom the user has blocked, or who have blocked the user."""
    either = Q(blocker=user_id, blocked__in=others) | Q(blocked=user_id, blocker__in=others)
    pairs = Block.objects.filter(either).values_list("blocker_id", "blocked_id")
    return {other for pair in pairs for other in pair if other != user_id}


def history_start(user_id: UUID) -> Coalesce:
    """Return, for use in a query, the moment before which a user's rides are not shown to the user."""
    start = User.objects.filter(pk=user_id).values("history_from")
    return Coalesce(Subquery(start), Value(datetime.min.replace(tzinfo=UTC)), output_field=DateTimeField())


def since_owned(user: User) -> Q:
    """Return, for rows with `created_at`, the condition that they are of the person who has the number now."""
    return Q(created_at__gte=user.history_from) if user.history_from else Q()


def may_act_on(actor: User, user: User) -> bool:
    """Return whether staff may act on a user: on staff only superusers may, whatever their permissions."""
    return actor.is_superuser or not (user.is_staff or user.is_superuser)


def users_missing(user_ids: Collection[UUID]) -> set[UUID]:
    """Return the ids that no user has."""
    return set(user_ids) - set(User.objects.filter(pk__in=user_ids).values_list("pk", flat=True))
