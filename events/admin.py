"""The outbox in the admin: to look at, not to change."""

from __future__ import annotations

from django.contrib import admin

from events.models import OutboxEvent
from nebengjek.admin import ReadOnlyAdmin


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin[OutboxEvent]):
    """What happened, whom it was for, and whether it has left the outbox."""

    list_display = ("id", "subject", "key", "created_at", "published_at", "attempts", "failed_at")
    list_filter = ("subject", ("published_at", admin.EmptyFieldListFilter), ("failed_at", admin.EmptyFieldListFilter))
    search_fields = ("key", "event_id")
    date_hierarchy = "created_at"
