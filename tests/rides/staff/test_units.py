"""What pages of support show instead of long numbers."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from rides.staff.units import age, clock, distance, duration, moment


@pytest.mark.parametrize(
    ("km", "text"),
    [(0, "0 m"), (0.38000000000000006, "380 m"), (0.9994, "999 m"), (0.9996, "1.0 km"), (15, "15.0 km")],
)
def test_distances(km: float, text: str) -> None:
    """Metres as long as there are fewer than a thousand."""
    assert distance(km) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (12.4, "12 s"), (119, "119 s"), (180, "3 min"), (7200, "2 h"), (172_800, "2 days")],
)
def test_time_spans(seconds: float, text: str) -> None:
    """The unit grows with the span."""
    assert duration(seconds) == text
    assert age(seconds) == f"{text} ago"


def test_moments_are_local(settings: Any) -> None:
    """To the second, in the time zone of the site; nothing for what has not been."""
    when = datetime(2026, 1, 31, 12, 0, 3, 999_999, tzinfo=UTC)
    with timezone.override("Asia/Jakarta"):
        assert (moment(when), clock(when)) == ("2026-01-31 19:00:03", "19:00:03")
    assert moment(None) == clock(None) == ""
