"""`manage.py export_user`: everything that is kept of a person."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder

from users.management.person import person_meant
from users.personal_data.base import personal_data


class Command(BaseCommand):
    """Write the data of one person as JSON."""

    help = "Write everything that is kept of a person to standard output, as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Accept the person."""
        parser.add_argument("person", help="a phone number, such as +6281200000001, or a user id")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write it."""
        user = person_meant(options["person"])
        everything: dict[str, Any] = {}
        for part in personal_data():
            everything |= part.export(user)
        self.stdout.write(json.dumps(everything, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
