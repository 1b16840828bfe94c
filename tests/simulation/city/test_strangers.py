"""Personal data that reaches a stranger must be found, wherever in a frame it is."""

from __future__ import annotations

from typing import Any

import pytest

from rides.cells import cell_middle
from rides.geo import GeoPoint
from simulation.city.invariants import Checker, check
from simulation.city.promises import Promises
from simulation.city.record import Facts, Seen
from tests.simulation.city.ride import HOME, STAND, found, honest, news_of, ride, say, session, tell, told

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


def test_a_rough_place_is_nobodys() -> None:
    """A driver reads where an old ride was to about 100 m; somebody else may happen to stand at that very corner."""
    corner = {"latitude": -6.18, "longitude": 106.83}
    for exact, rules in ((0.0, []), (0.00002, ["personal"])):
        record, facts = honest()
        say(record, "Tono", "beacon_update", {"is_active": True, **corner, "latitude": -6.18 + exact}, "t")
        old = {"ride_id": "old", "status": "CANCELLED", "location": {**corner, "latitude": -6.18 + exact}}
        tell(record, "Joko", session(7, last_ride=old))
        assert [violation.rule for violation in check(record, facts)] == rules


def test_the_middle_of_a_cell_is_nobodys() -> None:
    """An open offer shows where its cell is; a driver may happen to stand there, and many are near."""
    middle = cell_middle(GeoPoint(-6.18, 106.83))
    for off, rules in ((0.0, []), (0.000002, ["personal"])):
        record, facts = honest()
        place = {"latitude": middle.latitude + off, "longitude": middle.longitude}
        say(record, "Tono", "beacon_update", {"is_active": True, **place}, "t")
        tell(record, "Joko", told("match_proposal", 8, {"match_id": "n", "location": place}))
        assert [violation.rule for violation in check(record, facts)] == rules


@pytest.mark.parametrize(("what", "frame"), LEAKS, ids=[f"{what}-{n}" for n, (what, _) in enumerate(LEAKS)])
def test_leaks(what: str, frame: dict[str, Any]) -> None:
    """A number is never shown; a name and an exact place not in an offer, also not to a former driver."""
    record, facts = honest()
    tell(record, "Joko", frame)
    violations = check(record, facts)
    assert [violation.rule for violation in violations] == ["personal"]
    assert what in str(violations[0])
    assert violations[0].people[0] == "Joko"


def position(ride_id: str = "r1", user_id: str = "d", place: dict[str, float] = STAND) -> dict[str, Any]:
    """Return a position as the server passes it on."""
    return {"type": "location_update", "data": {"ride_id": ride_id, "user_id": user_id, **place}}


def test_a_place_shown_to_a_stranger() -> None:
    """A position that reaches somebody without a ride is found, and so is one that comes after the ride."""
    record, facts = honest()
    tell(record, "Tono", position())
    assert found(record, facts) == [("personal", "r1")]
    record, facts = honest()
    tell(record, "Putri", position(), after=1)
    assert found(record, facts) == []
    tell(record, "Joko", position(user_id="p", place=HOME), after=10)
    assert found(record, facts) == [("personal", "r1")]


def test_a_position_may_overtake_the_news_of_its_ride() -> None:
    """It goes another way than the news, so whose ride it is the books say, also where the phone knows nothing yet."""
    record, facts = honest()
    sent = Seen(record.frames["Putri"][3].at, "<-", position())
    record.frames["Putri"].insert(4, sent)
    assert found(record, facts) == []
    checker = Checker(record.people, Promises())
    for seen in record.frames["Joko"][:3]:
        assert not list(checker.see("Joko", seen))
    for seen in record.frames["Putri"][:5]:
        assert not list(checker.see("Putri", seen))
    assert not list(checker.compare(Facts(), sent.at))  # the books were read before
    assert not list(checker.compare(Facts([ride(status="PICKUP")]), sent.at + 1))


@pytest.mark.parametrize(
    "frame",
    [
        position(user_id="t"),
        position(place={"latitude": -6.18, "longitude": 106.83}),
        position(ride_id="r9"),
        position(ride_id="r2"),
        position(user_id="p"),
    ],
    ids=["sender", "place", "no-ride", "another-ride", "own"],
)
def test_a_position_of_somebody_else(frame: dict[str, Any]) -> None:
    """On a ride of one's own only the other party is seen, by id and by place, and on other rides nobody."""
    record, facts = honest()
    say(record, "Tono", "beacon_update", {"is_active": True, "latitude": -6.18, "longitude": 106.83}, "t")
    tell(record, "Putri", {**frame})
    other = ride(ride_id="r2", driver_id="t", passenger_id="x")
    assert found(record, Facts([ride(), other], [*facts.events, *news_of("r2", "t")])) == [
        ("personal", frame["data"]["ride_id"])
    ]
