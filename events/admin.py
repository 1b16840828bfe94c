"""The outbox in the admin: to look at, not to change."""

from __future__ import annotations

import contextlib
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from events.base import Event
from events.models import OutboxEvent
from nebengjek.admin import ReadOnlyAdmin


class SubjectFilter(admin.SimpleListFilter):
    """The subjects that there are, asked of the code and not of a million rows."""

    title = "subject"
    parameter_name = "subject"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Return the subjects of all events."""
        return sorted({(subject, subject) for subject in subjects(Event)})

    def queryset(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> QuerySet[OutboxEvent]:
        """Return the events of the chosen subject."""
        return queryset.filter(subject=self.value()) if self.value() else queryset


def subjects(base: type[Event]) -> set[str]:
    """Return the subjects of all events that derive from `base`."""
    below = (subjects(kind) for kind in base.__subclasses__())
    return {base.subject}.union(*below) - {""}


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin[OutboxEvent]):
    """What happened, whom it was for, and whether it has left the outbox."""

    list_display = ("id", "subject", "key", "created_at", "published_at", "attempts", "failed_at")
    list_filter = (
        SubjectFilter,
        ("published_at", admin.EmptyFieldListFilter),
        ("failed_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("key",)  # lets the box appear
    search_help_text = "The whole id of an event, or of the ride, match or user that it is about"
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[OutboxEvent], search_term: str
    ) -> tuple[QuerySet[OutboxEvent], bool]:
        """Return the events that the text asks for; only whole ids are found, with the help of an index."""
        if not (text := search_term.strip()):
            return queryset, False
        wanted = Q(key=text.lower())
        with contextlib.suppress(ValueError):
            wanted |= Q(event_id=UUID(text))
        return queryset.filter(wanted), False
