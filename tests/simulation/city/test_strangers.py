"""Personal data that reaches a stranger must be found, wherever in a frame it is."""

from __future__ import annotations

from typing import Any

import pytest

from simulation.city.invariants import check
from simulation.city.record import Facts, Record
from tests.simulation.city.ride import HOME, honest, session, tell, told


def found(record: Record, facts: Facts) -> list[tuple[str, str]]:
    return [(violation.rule, violation.ride_id) for violation in check(record, facts)]


LEAKS: list[tuple[str, dict[str, Any]]] = [
    ("number", told("match_confirm", 8, {"match_status": "ACCEPTED", "passenger": {"phone": "+628120000002"}})),
    ("number", told("beacon_update", 8, {"note": "call 628120000002 now"})),
    ("number", told("beacon_update", 8, {"note": "0812-0000-002"})),
    ("number", told("beacon_update", 8, {"note": "tel:62 812 0000 002x"})),
    ("name", told("match_proposal", 8, {"match_id": "n", "passenger": {"full_name": "Putri of the City"}})),
    ("name", told("beacon_update", 8, {"nearby": ["Tono of the City"]})),
    ("place", told("match_proposal", 8, {"match_id": "n", "location": HOME})),
    ("place", session(7, proposals=[{"match_id": "n", "location": HOME}])),
]


@pytest.mark.parametrize(("what", "frame"), LEAKS, ids=[f"{what}-{n}" for n, (what, _) in enumerate(LEAKS)])
def test_leaks(what: str, frame: dict[str, Any]) -> None:
    """A number is never shown; a name and an exact place not in an offer, also not to a former driver."""
    record, facts = honest()
    tell(record, "Joko", frame)
    violations = check(record, facts)
    assert [violation.rule for violation in violations] == ["personal"]
    assert what in str(violations[0])
    assert violations[0].people[0] == "Joko"


def test_a_place_shown_to_a_stranger() -> None:
    """A position that reaches somebody without a ride is found, and so is one that comes after the ride."""
    record, facts = honest()
    moved = {"type": "location_update", "data": {"ride_id": "r1", "user_id": "d", **HOME}}
    tell(record, "Tono", moved)
    assert found(record, facts) == [("personal", "r1")]
    record, facts = honest()
    tell(record, "Joko", moved, after=1)
    assert found(record, facts) == []
    tell(record, "Joko", moved, after=10)
    assert found(record, facts) == [("personal", "r1")]
