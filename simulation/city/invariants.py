"""What must hold of every run: judged frame by frame as they come, and by the books whenever those are read."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator

from simulation.city.books import BookRules
from simulation.city.news import NewsRules
from simulation.city.promises import Promises, Violation
from simulation.city.record import Facts, Record, Seen, Somebody
from simulation.city.strangers import StrangerRules
from simulation.city.waits import WaitRules


class Checker:
    """Judges a run while it lasts and at its end; each violation is yielded once, with the people and the ride."""

    def __init__(self, people: dict[str, Somebody], promises: Promises) -> None:
        self._news = NewsRules(people, promises)
        self._waits = WaitRules(promises)
        self._books = BookRules(people, promises)
        self._strangers = StrangerRules(people)
        self._known: set[Violation] = set()

    @property
    def resets(self) -> Counter[str]:
        """How often phones had to be given a fresh state, by why."""
        return self._news.resets

    def see(self, name: str, seen: Seen) -> Iterator[Violation]:
        """Yield what is wrong with a frame, after all those before it."""
        self._books.see(name, seen)
        for rules in (self._news, self._waits, self._strangers):
            yield from self._new(rules.see(name, seen))

    def compare(self, facts: Facts, now: float, *, is_over: bool = False) -> Iterator[Violation]:
        """Yield what is wrong by the books as they were at `now`; their events are those since the last time."""
        yield from self._new(self._news.compare(facts, now, is_over=is_over))
        yield from self._new(self._waits.compare(now))
        yield from self._new(self._books.compare(facts, now, is_over=is_over))
        yield from self._new(self._strangers.compare(facts, now, is_over=is_over))

    def _new(self, violations: Iterator[Violation]) -> Iterator[Violation]:
        for violation in violations:
            if violation not in self._known:
                self._known.add(violation)
                yield violation


def check(record: Record, facts: Facts, promises: Promises | None = None) -> list[Violation]:
    """Return everything that is wrong with a run that is over; nothing is what must come out."""
    checker = Checker(record.people, promises or Promises())
    own = [[(seen.at, name, seen) for seen in record.frames[name]] for name in record.people]
    found: list[Violation] = []
    for _, name, seen in heapq.merge(*own, key=lambda one: one[0]):
        found += checker.see(name, seen)
    now = max((frames[-1][0] for frames in own if frames), default=0.0)
    return [*found, *checker.compare(facts, now, is_over=True)]
