"""`manage.py second_factor`: set up the authenticator app of a member of staff."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, TextIO, cast

import segno
from django.core.management.base import BaseCommand, CommandError

from users.management.person import person_meant
from users.second_factor import second_factor_create, second_factor_remove


class Command(BaseCommand):
    """Show a new secret, or take it away."""

    help = "Give a member of staff a new secret for an authenticator app (the old one ends), and show it to be scanned."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Accept the person."""
        parser.add_argument("person", help="a phone number, such as +6281200000098, or a user id")
        parser.add_argument("--remove", action="store_true", help="take the second factor away")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        user = person_meant(options["person"])
        if options["remove"]:
            self.stdout.write("Removed." if second_factor_remove(user=user) else "There was none.")
            return
        if not user.is_staff:
            raise CommandError(f"{user} is not staff.")
        url = second_factor_create(user=user)
        segno.make(url).terminal(out=cast("TextIO", self.stdout), compact=True)
        self.stdout.write(f"Scan this with an authenticator app, or enter it there: {url}")
