from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events import dead_letters
from events.dead_letters import Dead
from events.models import DeadLetter

pytestmark = pytest.mark.django_db


def dead(sequence: int, **change: Any) -> Dead:
    fields = {"subject": "match.found", "payload": b"{}", "headers": {}, "reason": "no audience", **change}
    return Dead("NEBENGJEK:1", sequence, **fields)


def keep(*sequences: int) -> list[DeadLetter]:
    dead_letters.dead_letters_keep([dead(sequence) for sequence in sequences])
    return list(DeadLetter.objects.order_by("id"))


def requested() -> list[int]:
    return [letter.sequence for letter in dead_letters.dead_letters_to_replay(100)]


def test_a_letter_is_kept_whole() -> None:
    payload = bytes(range(256))
    dead_letters.dead_letters_keep([dead(2**40, payload=payload, headers={"X-Ä": "ö\u2028"}, reason="why: ü")])
    letter = DeadLetter.objects.get()
    assert bytes(letter.payload) == payload
    assert (letter.stream_id, letter.sequence, letter.subject) == ("NEBENGJEK:1", 2**40, "match.found")
    assert (letter.headers, letter.reason) == ({"X-Ä": "ö\u2028"}, "why: ü")
    assert abs(timezone.now() - letter.created_at) < timedelta(minutes=1)
    assert (letter.replay_requested_at, letter.replayed_at, letter.replays) == (None, None, 0)
    assert str(letter) == f"match.found #{2**40}"


def test_a_letter_that_dies_again_is_kept_once_and_its_replay_is_not_forgotten() -> None:
    keep(1)
    dead_letters.dead_letters_request_replay()
    dead_letters.dead_letters_keep([dead(1, reason="another"), dead(2)])
    assert [(letter.sequence, letter.reason) for letter in DeadLetter.objects.order_by("id")] == [
        (1, "no audience"),
        (2, "no audience"),
    ]
    assert requested() == [1]


def test_the_same_number_in_another_stream_is_another_letter() -> None:
    keep(1)
    dead_letters.dead_letters_keep([Dead("NEBENGJEK:2", 1, "match.found", b"", {}, "why")])
    assert DeadLetter.objects.count() == 2


def test_what_is_too_long_is_cut() -> None:
    dead_letters.dead_letters_keep([dead(1, subject="match." + "x" * 5000, reason="y" * 5000)])
    letter = DeadLetter.objects.get()
    assert (len(letter.subject), len(letter.reason)) == (255, 2000)


def test_without_a_choice_all_are_replayed_that_never_were() -> None:
    first, *_ = keep(1, 2, 3)
    dead_letters.dead_letter_mark_replayed(first)
    assert dead_letters.dead_letters_request_replay() == 2
    assert dead_letters.dead_letters_request_replay() == 0
    assert requested() == [2, 3]


def test_a_chosen_letter_can_be_replayed_again_and_again() -> None:
    _, letter, _ = keep(1, 2, 3)
    for times in (1, 2):
        assert dead_letters.dead_letters_request_replay(ids=[letter.pk, 10**9]) == 1
        assert dead_letters.dead_letters_request_replay(ids=[letter.pk]) == 0  # is on its way already
        assert requested() == [2]
        letter.refresh_from_db()
        dead_letters.dead_letter_mark_replayed(letter)
        letter.refresh_from_db()
        assert letter.replays == times
        assert letter.replayed_at is not None
        assert requested() == []


def test_letters_are_replayed_in_the_order_in_which_they_died() -> None:
    letters = keep(3, 1, 2)
    for letter in reversed(letters):
        dead_letters.dead_letters_request_replay(ids=[letter.pk])
    assert requested() == [3, 1, 2]
    assert len(dead_letters.dead_letters_to_replay(2)) == 2


def test_nobody_is_chosen_by_an_empty_list() -> None:
    keep(1)
    assert dead_letters.dead_letters_request_replay(ids=[]) == 0
    assert requested() == []
