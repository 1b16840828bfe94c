from datetime import UTC, datetime
from typing import Any

from django.template import Context, Template
from django.utils import timezone


def test_pages_show_local_time_with_seconds(settings: Any) -> None:
    """Of `TIME_ZONE`, as support reads it to somebody on the telephone."""
    settings.TIME_ZONE = "Asia/Jakarta"
    timezone.deactivate()
    page = Template("{{ when }} {{ when.date }}")
    assert (
        page.render(Context({"when": datetime(2026, 1, 31, 20, 5, 9, tzinfo=UTC)})) == "2026-02-01 03:05:09 2026-01-31"
    )
