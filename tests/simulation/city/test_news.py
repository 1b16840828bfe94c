"""Each promise about notifications is broken once, in a record that is honest otherwise, and must be found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulation.city.invariants import check
from simulation.city.record import Event, Facts, Fault, Record, Seen
from tests.simulation.city.ride import NOW, PAYMENT, RIDE, found, honest, index, mark, session, tell, told


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


def _be_given_a_fresh_state(record: Record) -> None:
    tell(record, "Tono", session(3, epoch="new"), after=2.5)
    tell(record, "Tono", told("beacon_update", 4, {"is_active": True}), after=60)


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
        (_stay, [_offer()], ["late", "lost"]),
        (_stay, [_offer(until=NOW + 5)], []),
        (_stay, [_offer(), REJECTED], ["lost"]),
        (_be_shown, [_offer()], []),
        (_be_told_with_the_state, [_offer()], []),
        (_be_given_a_fresh_state, [_offer()], []),
        (_be_given_a_fresh_state, [_offer(at=NOW + 2.9)], ["late", "lost"]),
        (_lose_the_network, [_offer()], ["lost"]),
        (_fall_asleep, [_offer()], ["lost"]),
    ],
    ids=[
        "never-came", "too-short", "withdrawn", "came", "in-the-state", "before-a-state", "after-a-state",
        "without-network", "asleep",
    ],
)  # fmt: skip
def test_an_offer_that_never_comes(happens: Callable[[Record], None], events: list[Event], wrong: list[str]) -> None:
    """An offer that never comes is found, whatever became of it; that it is late, on a phone that was there."""
    record, facts = honest()
    happens(record)
    if REJECTED in events:
        tell(record, "Tono", told("match_rejected", 2, {"match_id": "n"}))
    assert found(record, Facts(facts.rides, [*facts.events, *events])) == [(rule, "n") for rule in wrong]


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


@pytest.mark.parametrize("kind", ["match_confirm", "payment_process"])
def test_news_told_again(kind: str) -> None:
    """News of a match or a payment that come once more under a new number are found."""
    record, facts = honest()
    again = next(seen for seen in record.told("Putri") if seen.kind == kind)
    tell(record, "Putri", {**again.frame, "seq": 8})
    assert [rule for rule, _ in found(record, facts)] == ["doubled"]


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
