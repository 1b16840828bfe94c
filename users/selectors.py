"""Reading users."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from users.models import User


def may_act_on(actor: User, user: User) -> bool:
    """Whether staff may do something to a user: to staff only superusers may, whatever else somebody may do."""
    return actor.is_superuser or not (user.is_staff or user.is_superuser)


def users_missing(user_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the ids that no user has."""
    return set(user_ids) - set(User.objects.filter(pk__in=user_ids).values_list("pk", flat=True))
