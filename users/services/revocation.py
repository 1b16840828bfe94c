"""Ending tokens."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F

from events.outbox import emit
from users.events import TokensRevoked
from users.models import User


def revoke_tokens(user_id: UUID) -> None:
    """End every token of a user, and close open sockets (4401). Needs a transaction."""
    User.objects.filter(pk=user_id).update(token_version=F("token_version") + 1)
    version = User.objects.values_list("token_version", flat=True).get(pk=user_id)
    emit(TokensRevoked(user_id=user_id, token_version=version))
