"""The outbox and the dead letters in the admin: read-only, but a letter can be replayed."""

from __future__ import annotations

import contextlib
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from common.admin import ReadOnlyAdmin, record_action
from events.base import Event
from events.dead_letters import dead_letters_request_replay
from events.models import DeadLetter, OutboxEvent
from events.outbox import outbox_events_retry


class SubjectFilter(admin.SimpleListFilter):
    """The subjects of all event classes: a DISTINCT over a million rows would be slow."""

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
    """Events, their audience, and whether they were published."""

    list_display = ("id", "subject", "key", "created_at", "published_at", "attempts", "failed_at")
    list_filter = (
        SubjectFilter,
        ("published_at", admin.EmptyFieldListFilter),
        ("failed_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("key",)  # lets the box appear
    search_help_text = "The whole id of an event, or of the ride, match or user that it is about"
    actions = ("retry",)
    show_full_result_count = False

    @admin.action(description="Publish again, if given up", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> None:
        """Let the relay try the chosen events again."""
        count = outbox_events_retry(ids=queryset.values_list("pk", flat=True))
        self.message_user(request, f"{count} events will be published again.", messages.SUCCESS)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Whoever may change events may let them be published again; nobody may edit one."""
        return request.user.has_perm("events.change_outboxevent")

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


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin[DeadLetter]):
    """Messages that could not be delivered, and the reason."""

    list_display = ("id", "subject", "reason", "created_at", "replay_requested_at", "replayed_at", "replays")
    list_filter = (("replayed_at", admin.EmptyFieldListFilter),)
    fields = (
        "subject", "reason", "text", "headers", "stream_id", "sequence", "created_at",
        "replay_requested_at", "replayed_at", "replays",
    )  # fmt: skip
    actions = ("replay",)
    show_full_result_count = False

    @admin.display(description="payload")
    def text(self, letter: DeadLetter) -> str:
        """Return the payload as far as it is text."""
        return bytes(letter.payload).decode("utf-8", "backslashreplace")

    @admin.action(description="Replay", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Let the bridge publish the chosen letters once more."""
        count = dead_letters_request_replay(ids=queryset.values_list("pk", flat=True))
        record_action(request, list(queryset), "Replay requested by staff.")
        text = f"{count} messages will be published again within a second, if a bridge runs."
        self.message_user(request, text, messages.SUCCESS)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Whoever may change dead letters may replay them; nobody may edit one."""
        return request.user.has_perm("events.change_deadletter")
