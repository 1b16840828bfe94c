from typing import ClassVar

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """The outbox and its relay."""

    name = "events"
    verbose_name = "Events"
    SUPPORT_PERMISSIONS: ClassVar[tuple[str, ...]] = ("view_outboxevent", "view_deadletter")
