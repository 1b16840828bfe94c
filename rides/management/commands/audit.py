"""`manage.py audit`: whether all rides, fares and payments are as they must be."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from common.db import read_snapshot
from rides.staff.audit import audit, rides_with_a_fare


class Command(BaseCommand):
    """Look over the books; change nothing."""

    help = "Check all rides, fares, payments and events for what must never be, and list what is wrong."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what is wrong; end with an error when anything is."""
        findings = 0
        with read_snapshot():
            total = rides_with_a_fare().count()
            with tqdm(total=total, unit="ride", disable=None) as bar:
                for finding in audit(bar.update):
                    findings += 1
                    self.stdout.write(finding)
        if findings:
            raise CommandError(f"{findings} findings in {total} rides with a fare.")
        self.stdout.write(f"Nothing is wrong with {total} rides with a fare, and all others.")
