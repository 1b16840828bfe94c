"""`manage.py protocol`: write `docs/protocol.md`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from web.docs.reference import page, render


class Command(BaseCommand):
    """Write the protocol's reference from the code."""

    help = "Write docs/protocol.md from the classes that define the protocol."

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the page."""
        page().write_text(render(), encoding="utf-8")
        self.stdout.write(f"Wrote {page().name}.")
