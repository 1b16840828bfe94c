from collections import Counter

import pytest

from simulation.city.moods import EVERYDAY, Mood, Moods, mixed


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


def test_another_mix() -> None:
    """A share is changed on each side that has the mood; the others stay."""
    mix = mixed(EVERYDAY, ["cheats=0.5", "vanishes=0"])
    assert (mix.driver[Mood.CHEATS], mix.driver[Mood.VANISHES], mix.passenger[Mood.VANISHES]) == (0.5, 0, 0)
    assert Mood.CHEATS not in mix.passenger
    assert mix.driver[Mood.CANCELS] == EVERYDAY.driver[Mood.CANCELS]
    assert mixed(EVERYDAY, []) == EVERYDAY


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("sings=0.1", "no mood sings; there are cancels, cheats,"),
        ("cheats", "cheats: the share must be a number"),
        ("cheats=much", "must be a number"),
        ("cheats=nan", "at most 1"),
        ("cheats=0.99", "at most 1"),
    ],
)
def test_a_mix_that_cannot_be(change: str, complaint: str) -> None:
    """A mood that there is not, and shares that are no shares, are named."""
    with pytest.raises(ValueError, match=complaint):
        mixed(EVERYDAY, [change])
