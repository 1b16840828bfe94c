"""What people do beside what they should: each has a plan of their own, which the seed fixes."""

from __future__ import annotations

import random
from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Mood(StrEnum):
    """What somebody does with one offer or ride."""

    PLAIN = "plain"
    DECLINES = "declines"
    IGNORES = "ignores"
    CANCELS = "cancels"
    REFUSES_TO_PAY = "refuses_to_pay"
    VANISHES = "vanishes"
    DOZES = "dozes"
    MOVES_PIN = "moves_pin"
    CHEATS = "cheats"


class Mix(msgspec.Struct, frozen=True):
    """The share of each mood, of drivers and of passengers; the rest is plain."""

    driver: dict[Mood, float]
    passenger: dict[Mood, float]


EVERYDAY = Mix(
    driver={
        Mood.DECLINES: 0.08,
        Mood.IGNORES: 0.03,
        Mood.CANCELS: 0.04,
        Mood.VANISHES: 0.08,
        Mood.DOZES: 0.05,
        Mood.CHEATS: 0.03,
    },
    passenger={
        Mood.CANCELS: 0.08,
        Mood.REFUSES_TO_PAY: 0.08,
        Mood.VANISHES: 0.1,
        Mood.DOZES: 0.05,
        Mood.MOVES_PIN: 0.06,
    },
)


def mixed(mix: Mix, changes: Iterable[str]) -> Mix:
    """Return a mix with other shares, such as `cheats=0.3`, on the sides that have the mood. Raises `ValueError`."""
    sides = {"driver": dict(mix.driver), "passenger": dict(mix.passenger)}
    for change in changes:
        name, _, share = change.partition("=")
        own = [side for side in sides.values() if name in side]
        if not own:
            known = ", ".join(sorted({*mix.driver, *mix.passenger}))
            raise ValueError(f"{change}: there is no mood {name}; there are {known}.")
        for side in own:
            try:
                side[Mood(name)] = float(share)
            except ValueError:
                raise ValueError(f"{change}: the share must be a number from 0 to 1.") from None
    for shares in sides.values():
        _weights(shares)
    return Mix(**sides)


def _weights(shares: dict[Mood, float]) -> list[float]:
    weights = [*shares.values(), 1 - sum(shares.values())]
    if not all(weight > -1e-9 for weight in weights):
        raise ValueError("The shares of moods are at least 0, and together at most 1.")
    return [max(0.0, weight) for weight in weights]


class Moods:
    """The plan of one person: the same name and seed are in the same moods, whatever the others do."""

    def __init__(self, name: str, shares: dict[Mood, float], seed: int) -> None:
        self._rng = random.Random(f"{seed}/{name}")  # noqa: S311
        self._moods = [*shares, Mood.PLAIN]
        self._weights = _weights(shares)

    def next(self) -> Mood:
        """Return the mood for the next offer or ride."""
        return self._rng.choices(self._moods, self._weights)[0]
