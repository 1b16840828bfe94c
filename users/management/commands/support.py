"""`manage.py support`: the group of support staff and its members."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.errors import DomainError
from users.support import SUPPORT, support_add, support_group_update


class Command(BaseCommand):
    """Create or update the group, and add members."""

    help = (
        f'Create the group "{SUPPORT}" or update its permissions, and let the owners of these phone numbers log in to '
        "the admin as support. Run it again after each upgrade."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Accept phone numbers."""
        parser.add_argument("msisdn", nargs="*", help="a phone number, such as +6281200000098")

    def handle(self, *args: Any, **options: Any) -> None:
        """Update the group, add the members, and say who still needs a password."""
        try:
            group = support_group_update()
            for msisdn in options["msisdn"]:
                user = support_add(msisdn=msisdn)
                self.stdout.write(f"{user.msisdn} is support.")
                if not user.has_usable_password():
                    self.stdout.write(f"Set a password: manage.py changepassword {user.msisdn}")
        except (DomainError, ValueError) as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f'The group "{SUPPORT}" has {group.permissions.count()} permissions.')
