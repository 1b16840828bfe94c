from typing import ClassVar

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """The WebSocket and what runs beside it."""

    name = "realtime"
    verbose_name = "Realtime"
    SUPPORT_PERMISSIONS: ClassVar[tuple[str, ...]] = (
        "view_liveconnection",
        "end_liveconnection",
        "view_live_map",
        "view_statistics",
    )
