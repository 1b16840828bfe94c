"""Each promise is broken once, in a record that is honest otherwise, and must be found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from simulation.city.invariants import check
from simulation.city.promises import Promises
from simulation.city.record import Facts, Record, Seen
from tests.simulation.city.ride import BEGAN, HOME, PAYMENT, RIDE, honest, ride, say, session, tell, told


def index(record: Record, name: str, kind: str) -> int:
    return next(n for n, seen in enumerate(record.frames[name]) if seen.is_told and seen.kind == kind)


def found(record: Record, facts: Facts) -> list[tuple[str, str]]:
    return [(violation.rule, violation.ride_id) for violation in check(record, facts)]


def test_an_honest_record_has_no_violation() -> None:
    """Where everything is kept, nothing is found; nor in a record of nothing."""
    assert check(*honest()) == []
    assert check(Record(), Facts()) == []


def test_a_dropped_notification() -> None:
    """A number that is missing is found at the next one."""
    record, facts = honest()
    del record.frames["Putri"][index(record, "Putri", "ride_start")]
    assert found(record, facts) == [("order", "r1")]
    assert "got ride_arrived 5 instead of 4: lost" in str(check(record, facts)[0])


def test_the_last_notification_dropped() -> None:
    """The last one is missed too, by what was written down for the person; not where a state came later."""
    record, facts = honest()
    record.frames["Putri"].pop()
    assert found(record, facts) == [("lost", "r1")]
    tell(record, "Putri", session(7), after=60)
    assert found(record, facts) == []


def test_a_doubled_notification() -> None:
    """The same number twice is found, and so is the same news under two numbers."""
    record, facts = honest()
    frames = record.frames["Joko"]
    frames.append(frames[-1])
    assert ("order", "") in found(record, facts) or ("order", "r1") in found(record, facts)
    record, facts = honest()
    tell(record, "Joko", told("ride_completed", 8, {"ride": RIDE, "payment": PAYMENT}))
    assert found(record, facts) == [("doubled", "r1")]


@pytest.mark.parametrize("kind", ["match_confirm", "payment_process"])
def test_news_told_again(kind: str) -> None:
    """News of a match or a payment that come once more under a new number are found."""
    record, facts = honest()
    again = next(seen for seen in record.told("Putri") if seen.kind == kind)
    tell(record, "Putri", {**again.frame, "seq": 8})
    assert [rule for rule, _ in found(record, facts)] == ["doubled"]


def test_a_ride_that_the_books_do_not_have() -> None:
    """A ride that only phones know is found."""
    record, facts = honest()
    assert {rule for rule, _ in found(record, Facts([], facts.events))} == {"books"}


def test_swapped_notifications() -> None:
    """Two that came in the wrong order are found."""
    record, facts = honest()
    frames, at = record.frames["Joko"], index(record, "Joko", "ride_start")
    frames[at], frames[at + 1] = frames[at + 1], frames[at]
    assert {rule for rule, _ in found(record, facts)} == {"order"}


@pytest.mark.parametrize(
    ("frame", "wrong"),
    [
        (session(7, recovered=True), False),
        (session(99), False),
        (session(3, epoch="new"), False),
        (session(9, recovered=True), True),
        (session(7, epoch="new", recovered=True), True),
    ],
)
def test_sessions(frame: dict[str, Any], wrong: bool) -> None:
    """A session may begin elsewhere with a fresh state; one that claims to have resumed must go on where it was."""
    record, facts = honest()
    tell(record, "Joko", frame)
    tell(record, "Joko", told("beacon_update", frame["data"]["seq"] + 1, {"is_active": False}))
    assert found(record, facts) == ([("order", "")] if wrong else [])


def test_a_notification_before_any_session() -> None:
    """Nothing with a number may come before the first session."""
    record, facts = honest()
    frames = record.frames["Tono"]
    frames.insert(0, Seen(frames[0].at, "<-", told("beacon_update", 5, {"is_active": False})))
    assert ("order", "") in found(record, facts)


BOOKS: list[dict[str, Any]] = [
    {"ledger_cost": 12000},
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
    unknown = msgspec.structs.replace(changed, true_km=None)
    assert found(record, Facts([unknown], facts.events)) == []


def test_two_rides_at_once() -> None:
    """Somebody on a second ride before the first is over is found; right after it is allowed."""
    record, facts = honest()
    second = {"ride_id": "r2", "passenger_id": "someone else"}
    early = ride(**second, began=BEGAN + timedelta(minutes=9))
    after = ride(**second, began=BEGAN + timedelta(minutes=10))
    assert found(record, Facts([ride(), early], facts.events)) == [("two rides", "r2")]
    assert found(record, Facts([ride(), after], facts.events)) == []


@pytest.mark.parametrize("status", ["PICKUP", "ONGOING", "ARRIVED"])
def test_a_ride_without_end(status: str) -> None:
    """A ride that is neither completed nor cancelled is found."""
    record, facts = honest()
    open_ride = ride(status=status, payments=(("PENDING", 6000),), driver_free=None, passenger_free=None)
    assert found(record, Facts([open_ride], facts.events)) == [("no end", "r1")]


def _search_for(seconds: float) -> Callable[[Record], None]:
    def spoil(record: Record) -> None:
        say(record, "Tono", "finder_update", {"is_active": True, "location": HOME, "target_location": HOME}, "s")
        tell(record, "Tono", told("finder_update", 1, {"is_active": False, "reason": "no_driver"}), after=seconds)

    return spoil


def _refused(record: Record) -> None:
    frames = record.frames["Tono"]
    frames.append(Seen(frames[-1].at, "->", {"type": "finder_update", "data": {"is_active": True}, "id": "x"}))
    tell(record, "Tono", {"type": "error", "data": {"code": "VALIDATION_FAILED"}, "id": "x"})
    tell(record, "Tono", told("finder_update", 1, {"is_active": False}), after=200)


def _position_sent_again(record: Record) -> None:
    frames = record.frames["Tono"]
    frames.append(Seen(frames[-1].at, "->", {"type": "location_update", "data": HOME, "id": "x"}))
    tell(record, "Tono", session(0, recovered=True), after=200)


def _unanswered(record: Record) -> None:
    frames = record.frames["Tono"]
    frames.append(Seen(frames[-1].at, "->", {"type": "sync", "data": {}, "id": "x"}))
    tell(record, "Tono", told("finder_update", 1, {"is_active": False}), after=11)


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (_search_for(100), False),
        (_search_for(120), True),
        (_refused, False),
        (_position_sent_again, False),
        (_unanswered, True),
    ],
)
def test_waits(spoil: Callable[[Record], None], wrong: bool) -> None:
    """A search that takes too long is found, and so is a command without an answer."""
    record, facts = honest()
    spoil(record)
    assert found(record, facts) == ([("wait", "")] if wrong else [])
    assert check(record, facts, Promises(search=1000, answer=1000)) == []
