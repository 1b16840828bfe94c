"""The interface of an app that keeps data of people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from users.models import User

Steps = Iterator[None]
"""Work in small transactions: it yields between two of them, so that other writers get their turn."""


class PersonalData(Protocol):
    """What one app keeps of people."""

    def check(self, user: User) -> None:
        """Lock what is needed, and raise `Conflict` while the account cannot end."""

    def withdraw(self, user: User) -> None:
        """Take back what would reach another device or be told again, in the transaction of a login by code.

        The person at the number may be a new owner, or the old one with a new device.
        """

    def hand_over(self, user: User) -> None:
        """End and forget what belonged to an earlier owner, in the transaction in which a new one has given a name.

        What happened before `user.history_from` is of the earlier owner. It may run twice.
        """

    def erase(self, user: User) -> None:
        """End what is open and remove what shows who the user was, in the transaction that ends the account."""

    def erase_rest(self, user_id: UUID) -> Steps:
        """Remove what is left, after the account has ended. It may run more than once."""

    def expire(self) -> Steps:
        """Remove or coarsen what is older than its retention time, of all users."""

    def export(self, user: User) -> dict[str, Any]:
        """Return everything that is kept of a user; values are what `DjangoJSONEncoder` can write."""


def personal_data() -> list[PersonalData]:
    """Return the parts of `settings.PERSONAL_DATA`, in their order."""
    return [import_string(path)() for path in settings.PERSONAL_DATA]
