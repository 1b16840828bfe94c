"""Ways from the relay to those who deliver: `settings.EVENT_BUS` names the one in use."""

from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string

from events.buses.base import Bus as Bus
from events.buses.base import Handler as Handler


def make_bus(handler: Handler) -> Bus:
    """Return the configured bus; `handler` delivers what this process receives from it."""
    bus: Bus = import_string(settings.EVENT_BUS)(handler)
    return bus
