"""The person whom a command is about."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from django.core.management.base import CommandError

from users.models import User
from users.phone import normalise_msisdn


def person_meant(text: str) -> User:
    """Return the user with an id or a phone number in any spelling; raise `CommandError` if there is none."""
    found = User.objects.none()
    with suppress(ValueError):
        found = User.objects.filter(msisdn=normalise_msisdn(text))
    with suppress(ValueError):
        found = User.objects.filter(pk=UUID(text))
    user = found.first()
    if user is None:
        raise CommandError(f"There is no user {text}.")
    return user
