"""`manage.py replay_dead_letters`: publish messages that could not be delivered once more, after a fix."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.dead_letters import dead_letters_request_replay
from events.models import DeadLetter


class Command(BaseCommand):
    """Ask the bridge to publish dead letters once more."""

    help = "Ask the bridge to publish dead letters once more; without ids, list them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take ids, or `--all`."""
        parser.add_argument("ids", nargs="*", type=int, help="numbers of letters, as in the list")
        parser.add_argument("--all", action="store_true", help="all that were never replayed")

    def handle(self, *args: Any, ids: list[int], **options: Any) -> None:
        """Request the replay, or list the letters."""
        if not ids and not options["all"]:
            for letter in DeadLetter.objects.filter(replayed_at__isnull=True).order_by("id"):
                self.stdout.write(
                    f"{letter.pk}: {letter.created_at:%Y-%m-%d %H:%M:%S} {letter.subject}: {letter.reason}"
                )
            return
        if unknown := set(ids) - set(DeadLetter.objects.filter(pk__in=ids).values_list("pk", flat=True)):
            raise CommandError(f"There are no letters {', '.join(map(str, sorted(unknown)))}.")
        count = dead_letters_request_replay(ids=ids or None)
        self.stdout.write(f"{count} messages will be published again by the bridge.")
