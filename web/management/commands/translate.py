"""`manage.py translate`: bring new texts into the translations, and compile them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.core.management.commands.makemessages import Command as Makemessages
from django.test.utils import override_settings

LOCALE = Path(settings.BASE_DIR) / "web" / "locale"
"""All texts are in one catalogue: that of the app that has the pages."""

WITHOUT_TEXTS = (
    "clients/*",
    "tests/*",
    "bench/*",
    "var/*",
    "docs/*",
    "node_modules/*",
    ".venv/*",
    "simulation/*",
    "devservers/*",
)


class Command(BaseCommand):
    """Update and compile the catalogues."""

    help = "Bring new texts into web/locale, drop those that are gone, and compile. What is new has no translation yet."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it for pages and scripts in each language but English."""
        languages = [code for code, _ in settings.LANGUAGES if code != "en"]
        Makemessages.msgmerge_options = [*Makemessages.msgmerge_options, "--no-fuzzy-matching"]  # guesses are wrong
        with override_settings(LOCALE_PATHS=[str(LOCALE)]):
            for domain in ("django", "djangojs"):
                call_command(
                    Makemessages(),
                    locale=languages,
                    domain=domain,
                    ignore_patterns=list(WITHOUT_TEXTS),
                    add_location="never",
                    no_obsolete=True,
                    verbosity=0,
                )
            call_command("compilemessages", locale=languages, ignore_patterns=list(WITHOUT_TEXTS), verbosity=0)
        self.stdout.write(f"Updated {LOCALE}.")
