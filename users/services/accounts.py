"""Changing a profile, deactivating and reactivating users."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from users.models import User
from users.names import is_same_name
from users.personal_data.base import personal_data
from users.services.revocation import revoke_tokens


@transaction.atomic
def profile_update(*, user_id: UUID, full_name: str) -> User:
    """Change the name, the only field that the owner of a profile can change.

    After a login by code the same name confirms that this is the person of before, who sees their history again.
    Another name is that of a new owner of the number, to whom older rides are never shown, and who begins without the
    rating, the blocks and the vehicle of the earlier one.
    """
    user = User.objects.get(pk=user_id)
    if not user.name_confirmed and not is_same_name(full_name, user.full_name):
        for part in personal_data():  # the first one locks, before the row of the user is locked here
            part.hand_over(user)
    user = User.objects.select_for_update().get(pk=user_id)
    if not user.name_confirmed:
        if is_same_name(full_name, user.full_name):
            user.history_from = user.owner_since
        else:
            user.owner_since = user.history_from
        user.name_confirmed = True
    user.full_name = full_name
    user.save(update_fields=["full_name", "name_confirmed", "owner_since", "history_from"])
    return user


@transaction.atomic
def user_deactivate(*, user_id: UUID) -> bool:
    """Deactivate a user: logins and tokens are refused, open sockets close. Return False if nothing changed."""
    if not User.objects.filter(pk=user_id, is_active=True).update(is_active=False):
        return False
    revoke_tokens(user_id)
    return True


@transaction.atomic
def user_log_out(*, user_id: UUID) -> bool:
    """End every token of a user, and close open sockets. Return False if there is no such user."""
    if not User.objects.select_for_update().filter(pk=user_id).exists():
        return False
    revoke_tokens(user_id)
    return True


@transaction.atomic
def user_reactivate(*, user_id: UUID) -> bool:
    """Reactivate a user, who has to log in again. Return False if nothing changed."""
    return User.objects.filter(pk=user_id, is_active=False).update(is_active=True) == 1
