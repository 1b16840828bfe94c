"""`manage.py erase_user`: end an account and remove the data of its person."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.errors import DomainError
from users.management.person import person_meant
from users.models import User
from users.services import account_erase, erasure_steps


class Command(BaseCommand):
    """Erase one person."""

    help = (
        "End the account of a person and remove their data. Rides and payments stay, without name, number and places. "
        "What other people have yet to be notified of is removed ten minutes later by the dispatcher. May be repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Accept the person, and the answer to the question."""
        parser.add_argument("person", help="a phone number, such as +6281200000001, or a user id")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, and erase."""
        user = person_meant(options["person"])
        if user.erased_at is None:
            self._ask(user, options["yes"])
            try:
                account_erase(user_id=user.pk)
            except DomainError as exc:
                raise CommandError(exc.message) from exc
        for _ in erasure_steps(user.pk):
            pass
        self.stdout.write(f"Erased user {user.pk}.")

    def _ask(self, user: User, yes: bool) -> None:
        if not yes and input(f"Erase {user} and their data for ever? Type yes: ") != "yes":
            raise CommandError("Nothing was erased.")
