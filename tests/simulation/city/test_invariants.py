"""Each promise is broken once, in a record that is honest otherwise, and must be found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from simulation.city.invariants import Checker, check
from simulation.city.promises import Promises
from simulation.city.record import Event, Facts, Fault, Record, Seen
from tests.simulation.city.ride import BEGAN, HOME, NOW, PAYMENT, RIDE, honest, mark, ride, say, session, tell, told


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
    tell(record, "Putri", session(7, epoch="new"), after=60)
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


def _offer(**changed: Any) -> Event:
    facts: dict[str, Any] = {"user_id": "t", "at": NOW + 1, "kind": "match_proposal", "ref": "n", "until": NOW + 31}
    return Event(**{**facts, **changed})


REJECTED = Event("t", NOW + 3, "match_rejected", "n")


def _stay(record: Record) -> None:
    tell(record, "Tono", told("beacon_update", 1, {"is_active": True}), after=60)


def _be_shown(record: Record) -> None:
    tell(record, "Tono", told("match_proposal", 1, {"match_id": "n"}), after=20)


def _be_told_with_the_state(record: Record) -> None:
    tell(record, "Tono", session(0, recovered=True, proposals=[{"match_id": "n"}]), after=2)


def _lose_the_network(record: Record) -> None:
    mark(record, "Tono", "disconnected", after=3)
    tell(record, "Tono", session(0, recovered=True), after=2)
    _stay(record)


def _fall_asleep(record: Record) -> None:
    mark(record, "Tono", "asleep", after=3)
    _stay(record)


@pytest.mark.parametrize(
    ("happens", "events", "wrong"),
    [
        (_stay, [_offer()], True),
        (_stay, [_offer(until=NOW + 5)], False),
        (_stay, [_offer(), REJECTED], False),
        (_be_shown, [_offer()], False),
        (_be_told_with_the_state, [_offer()], False),
        (_lose_the_network, [_offer()], False),
        (_fall_asleep, [_offer()], False),
    ],
    ids=["never-came", "too-short", "withdrawn", "came", "in-the-state", "without-network", "asleep"],
)
def test_an_offer_that_never_comes(happens: Callable[[Record], None], events: list[Event], wrong: bool) -> None:
    """An offer that a living session is not shown is found; not one that ended at once, nor on a phone that slept."""
    record, facts = honest()
    happens(record)
    if REJECTED in events:
        tell(record, "Tono", told("match_rejected", 2, {"match_id": "n"}))
    assert found(record, Facts(facts.rides, [*facts.events, *events])) == ([("lost", "n")] if wrong else [])


def test_an_offer_in_many_states() -> None:
    """An offer may be in every state that a phone is given, and come as news too."""
    record, facts = honest()
    for _ in range(3):
        _be_told_with_the_state(record)
    _be_shown(record)
    assert found(record, Facts(facts.rides, [*facts.events, _offer()])) == []


def test_a_phone_that_never_gets_a_session() -> None:
    """Somebody who could not connect in all the time is found."""
    record, facts = honest()
    del record.frames["Tono"]
    assert [str(one) for one in check(record, facts)] == ["session: Tono never got a session"]


@pytest.mark.parametrize(("code", "wrong"), [(4409, True), (4401, True), (None, False)])
def test_a_phone_that_is_thrown_out(code: int | None, wrong: bool) -> None:
    """A phone that is told to stay away is found, as nobody has a second one; one that hung up is not."""
    record, facts = honest()
    mark(record, "Tono", "closed", {"code": code, "reason": "x"})
    mark(record, "Tono", "new phone")
    tell(record, "Tono", session(4, epoch="e"))
    assert found(record, facts) == ([("session", "")] if wrong else [])


FAULT = Fault(NOW + 5, NOW + 6, "valkey", "kill")


@pytest.mark.parametrize(
    ("state", "faults", "wrong"),
    [
        (session(7, recovered=True), [], False),
        (session(9), None, True),
        (session(0, epoch="new"), None, False),
        (session(0, epoch="new"), [], True),
        (session(0, epoch="new"), [FAULT], False),
        (session(0, epoch="new"), [Fault(NOW - 60, NOW - 59, "valkey", "kill")], True),
        (session(0, epoch="new"), [Fault(NOW + 5, NOW + 6, "nats", "kill")], True),
    ],
    ids=["resumed", "gap", "no-log", "no-fault", "its-fault", "an-old-fault", "another-fault"],
)
def test_a_history_that_is_lost(state: dict[str, Any], faults: list[Fault] | None, wrong: bool) -> None:
    """A fresh state in place of what a history still has is found, and so is a new epoch that no fault explains."""
    record, facts = honest()
    mark(record, "Joko", "disconnected")
    tell(record, "Joko", state)
    violations = found(record, Facts(facts.rides, facts.events, faults))
    assert violations == ([("reset", "")] if wrong else [])


def test_a_state_that_was_asked_for() -> None:
    """The answer to `sync` is no loss."""
    record, facts = honest()
    record.frames["Joko"].append(Seen(NOW + 30, "->", {"type": "sync", "data": {}, "id": "s"}))
    tell(record, "Joko", session(9))
    tell(record, "Joko", {"type": "ack", "data": {}, "id": "s"})
    assert found(record, facts) == []


def test_violations_show_while_a_run_lasts() -> None:
    """What is wrong is told at the frame or look at the books where it shows first, and once."""
    record, _ = honest()
    checker = Checker(record.people, Promises())
    frames = record.frames["Joko"]
    swapped = [*frames[:3], frames[4], frames[3], *frames[5:]]
    found_at = [n for n, seen in enumerate(swapped) for _ in checker.see("Joko", seen)]
    assert found_at[0] == 3
    for name in ("Putri", "Tono"):
        assert not [one for seen in record.frames[name] for one in checker.see(name, seen)]
    doubled = Facts([ride(ledger_cost=12000)], [])
    assert [one.rule for one in checker.compare(doubled, NOW + 20)] == ["books"]
    assert [one.rule for one in checker.compare(doubled, NOW + 40)] == []
    unheard = Facts([ride(ledger_cost=12000)], [Event("t", NOW + 5, "beacon_update", "")])
    assert [one.rule for one in checker.compare(unheard, NOW + 30)] == []
    assert [one.rule for one in checker.compare(Facts(doubled.rides), NOW + 40)] == ["lost"]


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
        (session(7), False),
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


@pytest.mark.parametrize("changed", BOOKS, ids=lambda changed: next(iter(changed)))
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
