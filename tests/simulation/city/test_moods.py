from collections import Counter

import pytest

from simulation.city.moods import EVERYDAY, Mood, Moods


def test_a_plan_is_of_one_person() -> None:
    """The same name and seed give the same moods; another of either gives others."""

    def plan(name: str, seed: int) -> list[Mood]:
        moods = Moods(name, EVERYDAY.passenger, seed)
        return [moods.next() for _ in range(50)]

    assert plan("Putri", 1) == plan("Putri", 1)
    assert plan("Putri", 1) != plan("Putri", 2)
    assert plan("Putri", 1) != plan("Sari", 1)


def test_moods_have_their_shares() -> None:
    """Each mood comes about as often as its share says, the rest is plain."""
    moods = Moods("Joko", {Mood.DECLINES: 0.25, Mood.VANISHES: 0}, 1)
    counts = Counter(moods.next() for _ in range(4000))
    assert 900 < counts[Mood.DECLINES] < 1100
    assert set(counts) == {Mood.DECLINES, Mood.PLAIN}


@pytest.mark.parametrize("shares", [{Mood.CANCELS: 1.1}, {Mood.CANCELS: -0.1}])
def test_impossible_shares_are_refused(shares: dict[Mood, float]) -> None:
    """Shares below 0 or above 1 are an error."""
    with pytest.raises(ValueError, match="at most 1"):
        Moods("Joko", shares, 1)
