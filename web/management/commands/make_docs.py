"""`manage.py make_docs`: everything that repeats the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from web.docs.outputs import OUTPUTS


class Command(BaseCommand):
    """Write the documents and the generated parts of the clients, and name the files that have changed."""

    help = "Write everything that repeats the contract: docs/ and the generated parts of the clients."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take another folder than the project's."""
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR, help="the project (default: %(default)s)")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        """Write what is stale."""
        for name, make in OUTPUTS.items():
            path, text = folder / name, make()
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                self.stdout.write(f"Wrote {name}.")
