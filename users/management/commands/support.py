"""`manage.py support`: the group of support staff, and who is in it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.errors import DomainError
from users.support import GRANTED, SUPPORT, support_add, support_group_update


class Command(BaseCommand):
    """Make the group, and let people in."""

    help = (
        f'Make the group "{SUPPORT}" or bring it up to date, and let the owners of phone numbers log in to the admin '
        "as support. May be run again, and should be after an upgrade."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take phone numbers."""
        parser.add_argument("msisdn", nargs="*", help="a phone number, such as +6281200000098")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what is left to do."""
        try:
            support_group_update()
            for msisdn in options["msisdn"]:
                user = support_add(msisdn=msisdn)
                self.stdout.write(f"{user.msisdn} is support.")
                if not user.has_usable_password():
                    self.stdout.write(f"Set a password: manage.py changepassword {user.msisdn}")
        except (DomainError, ValueError) as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f'The group "{SUPPORT}" has {len(GRANTED)} permissions.')
