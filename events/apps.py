from django.apps import AppConfig


class EventsConfig(AppConfig):
    """The outbox and its relay."""

    name = "events"
    verbose_name = "Events"
