"""Each promise about rides and money is broken once, in a record that is honest otherwise, and must be found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from simulation.city.invariants import Checker, check
from simulation.city.promises import Promises
from simulation.city.record import Facts, Seen
from tests.simulation.city.ride import BEGAN, NOW, PAYMENT, RIDE, found, honest, index, news_of, ride, tell, told


def test_books_are_judged_when_they_were_read() -> None:
    """A ride and news that came after the books were read are no violation yet, nor is a ride that goes on."""
    record, facts = honest()
    checker = Checker(record.people, Promises())
    for name in record.people:
        for seen in record.frames[name]:
            assert not list(checker.see(name, seen))
    assert list(checker.compare(Facts(), NOW)) == []
    assert list(checker.compare(Facts([ride(status="ONGOING", ledger_cost=1)], facts.events), NOW + 20)) == []
    assert list(checker.compare(Facts([ride()]), NOW + 20, is_over=True)) == []


def test_a_ride_that_the_books_do_not_have() -> None:
    """A ride that only phones know is found, and so is the position that was shown on it."""
    record, facts = honest()
    assert {rule for rule, _ in found(record, Facts([], facts.events))} == {"books", "personal"}


BOOKS: list[dict[str, Any]] = [
    {"ledger_cost": 12000},
    {"ledger_cost": 6001},
    {"due_cost": 3000},
    {"total_cost": 12000, "ledger_cost": 12000, "receipt_cost": 12000},
    {"ledger_km": 4.0},
    {"receipt_cost": 5999},
    {"payments": (("ACCEPTED", 6000), ("ACCEPTED", 6000))},
    {"payments": ()},
    {"payments": (("PENDING", 6000),)},
]


@pytest.mark.parametrize("changed", BOOKS, ids=str)
def test_books_that_disagree(changed: dict[str, Any]) -> None:
    """A double fare and every other disagreement of ledger, ride, receipt and payment is found."""
    record, facts = honest()
    violations = check(record, Facts([ride(**changed)], facts.events))
    assert {violation.rule for violation in violations} == {"books"}
    assert violations[0].people == ("Joko", "Putri")
    assert "r1" in str(violations[0])


def test_a_phone_that_shows_another_sum() -> None:
    """A passenger who is shown twice the fare is found, also where the books agree."""
    record, facts = honest()
    record.frames["Putri"].pop()
    doubled = {"ride": RIDE, "payment": {**PAYMENT, "total_cost": 12000}}
    tell(record, "Putri", told("ride_completed", 7, doubled))
    assert found(record, facts) == [("books", "r1")]


@pytest.mark.parametrize(("billed", "wrong"), [(2.03, False), (2.18, False), (2.19, True), (1.87, True), (0, True)])
def test_fares_off_the_road(billed: float, wrong: bool) -> None:
    """A distance beyond 5 % and 50 m of the road is found, of either sign; an unknown road is no measure."""
    record, facts = honest()
    changed = ride(billed_km=billed, ledger_km=billed)
    assert found(record, Facts([changed], facts.events)) == ([("fare", "r1")] if wrong else [])
    unseen_corner = msgspec.structs.replace(changed, line_km=1.9)
    assert found(record, Facts([unseen_corner], facts.events)) == ([("fare", "r1")] if billed in (2.19, 0) else [])
    unknown = msgspec.structs.replace(changed, true_km=None)
    assert found(record, Facts([unknown], facts.events)) == []


@pytest.mark.parametrize(
    ("billed", "flags", "wrong"), [(2.5, "", True), (2.5, "implausible_fixes", False), (1.0, "", False)]
)
def test_lies_win_nothing_unseen(billed: float, flags: str, wrong: bool) -> None:
    """A phone that tells lies may lose by them; what it wins support must be asked to look at."""
    record, facts = honest()
    changed = ride(billed_km=billed, ledger_km=billed, flags=flags, cheated=True)
    assert found(record, Facts([changed], facts.events)) == ([("fare", "r1")] if wrong else [])


def test_two_rides_at_once() -> None:
    """Somebody on a second ride before the first is over is found; right after it is allowed."""
    record, facts = honest()
    second = {"ride_id": "r2", "passenger_id": "someone else"}
    early = ride(**second, began=BEGAN + timedelta(minutes=9))
    after = ride(**second, began=BEGAN + timedelta(minutes=10))
    events = [*facts.events, *news_of("r2", "d")]
    assert found(record, Facts([ride(), early], events)) == [("two rides", "r2")]
    assert found(record, Facts([ride(), after], events)) == []


@pytest.mark.parametrize("kind", ["ride_pickup", "ride_start", "ride_arrived", "ride_completed"])
def test_news_that_were_never_written_down(kind: str) -> None:
    """What happened to a ride and was meant for one of its parties only is found, also where no phone could miss it."""
    record, facts = honest()
    frames = record.frames["Putri"]
    at = index(record, "Putri", kind)
    record.frames["Putri"] = [*frames[:at], *(_numbered(seen, -1) for seen in frames[at + 1 :])]
    events = [event for event in facts.events if (event.user_id, event.kind) != ("p", kind)]
    assert found(record, Facts(facts.rides, events)) == [("lost", "r1")]


def _numbered(seen: Seen, by: int) -> Seen:
    frame = {**seen.frame, "seq": seen.frame["seq"] + by} if "seq" in seen.frame else seen.frame
    return Seen(seen.at, seen.direction, frame)


@pytest.mark.parametrize("status", ["PICKUP", "ONGOING", "ARRIVED"])
def test_a_ride_without_end(status: str) -> None:
    """A ride that is neither completed nor cancelled is found."""
    record, facts = honest()
    open_ride = ride(status=status, payments=(("PENDING", 6000),), driver_free=None, passenger_free=None)
    assert found(record, Facts([open_ride], facts.events)) == [("no end", "r1")]
