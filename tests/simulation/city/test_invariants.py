"""Each promise is broken once, in a record that is honest otherwise, and must be found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulation.city.invariants import Checker, check
from simulation.city.promises import Promises
from simulation.city.record import Event, Facts, Record, Seen
from tests.simulation.city.ride import HOME, NOW, found, honest, ride, say, session, tell, told


def test_an_honest_record_has_no_violation() -> None:
    """Where everything is kept, nothing is found; nor in a record of nothing."""
    assert check(*honest()) == []
    assert check(Record(), Facts()) == []


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
