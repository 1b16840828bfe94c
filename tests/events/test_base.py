from datetime import UTC, datetime
from uuid import UUID

import pytest

from events.base import Event, Moment


class Seen(Event, frozen=True, kw_only=True):
    """Something with a time and an id."""

    who: UUID
    when: Moment


def test_data_is_ready_for_json_and_times_are_in_utc() -> None:
    event = Seen(who=UUID(int=1), when=datetime(2026, 1, 31, 12, 0, tzinfo=UTC))
    assert event.to_data() == {"who": str(UUID(int=1)), "when": "2026-01-31T12:00:00Z"}


def test_by_default_all_see_the_same_for_ever() -> None:
    event = Seen(who=UUID(int=1), when=datetime(2026, 1, 31, tzinfo=UTC))
    assert event.views == {}
    assert event.valid_until is None


def test_an_event_must_say_whom_and_what_it_is_about() -> None:
    event = Seen(who=UUID(int=1), when=datetime(2026, 1, 31, tzinfo=UTC))
    for name in ("key", "audience"):
        with pytest.raises(NotImplementedError):
            getattr(event, name)
