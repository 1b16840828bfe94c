from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from events import dead_letters
from tests.events.test_dead_letters import keep, requested

pytestmark = pytest.mark.django_db


def replay(*ids: int, **options: Any) -> list[str]:
    out = StringIO()
    call_command("replay_dead_letters", *map(str, ids), stdout=out, **options)
    return out.getvalue().splitlines()


def test_without_ids_the_letters_are_listed_that_were_never_replayed() -> None:
    first, second, third = keep(7, 8, 9)
    dead_letters.dead_letter_mark_replayed(second)
    assert replay() == [
        f"{letter.pk}: {letter.created_at:%Y-%m-%d %H:%M:%S} match.found: no audience" for letter in (first, third)
    ]
    assert requested() == []


def test_where_there_are_none_there_is_nothing_to_list() -> None:
    assert replay() == []
    assert replay(all=True) == ["0 messages will be published again by the bridge."]


def test_the_chosen_are_replayed() -> None:
    first, _, third = keep(7, 8, 9)
    assert replay(third.pk, first.pk) == ["2 messages will be published again by the bridge."]
    assert requested() == [7, 9]


def test_all_are_replayed() -> None:
    keep(7, 8)
    assert replay(all=True) == ["2 messages will be published again by the bridge."]
    assert requested() == [7, 8]


def test_an_unknown_letter_is_refused_and_so_are_the_others() -> None:
    [letter] = keep(7)
    unknown = letter.pk + 1
    with pytest.raises(CommandError, match=rf"There are no letters {unknown}, {unknown + 1}\."):
        replay(unknown + 1, letter.pk, unknown)
    assert requested() == []
