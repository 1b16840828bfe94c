"""`manage.py asyncapi`: the AsyncAPI document of a server at any address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from web.docs.asyncapi import render
from web.docs.outputs import default_url


class Command(BaseCommand):
    """Print the AsyncAPI document, or write it to a file."""

    help = "Print the AsyncAPI 3.0 document of /ws/, made from the classes that define the protocol."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say where to, and for which server."""
        parser.add_argument("--output", type=Path, metavar="FILE", help="write it to this file instead")
        parser.add_argument("--url", default=default_url(), help="the address of the server (default: %(default)s)")

    def handle(self, *args: Any, output: Path | None, url: str, **options: Any) -> None:
        """Print it, or write it."""
        if output is None:
            self.stdout.write(render(url), ending="")
        else:
            output.write_text(render(url), encoding="utf-8")
            self.stdout.write(f"Wrote {output}.")
