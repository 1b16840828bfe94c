"""Reading users."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from users.models import User


def users_missing(user_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the ids that no user has."""
    return set(user_ids) - set(User.objects.filter(pk__in=user_ids).values_list("pk", flat=True))
