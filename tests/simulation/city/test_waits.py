"""Waiting, frame by frame; whole records are judged in `test_invariants.py`."""

from __future__ import annotations

from typing import Any

from simulation.city.promises import Promises
from simulation.city.record import Seen
from simulation.city.waits import WaitRules, searches

PROMISES = Promises(search=100, answer=10)


def said(at: float, kind: str, command_id: str = "1", **data: Any) -> Seen:
    return Seen(at, "->", {"type": kind, "id": command_id, "data": data})


def told(at: float, kind: str, **data: Any) -> Seen:
    return Seen(at, "<-", {"type": kind, "data": data})


def late(*frames: Seen, until: float) -> list[float | str]:
    """What is found, and at which frame; `end` for what is found in the end alone."""
    rules = WaitRules(PROMISES)
    found: list[float | str] = [frame.at for frame in frames for _ in rules.see("Tono", frame)]
    return found + ["end" for _ in rules.compare(until)]


def test_a_command_without_an_answer_is_found_once() -> None:
    """At the next frame of the phone, or in the end where none comes; not again."""
    assert late(said(0, "sync"), until=10) == []
    assert late(said(0, "sync"), until=11) == ["end"]
    assert late(said(0, "sync"), told(11, "payment_process"), told(12, "ack"), until=99) == [11]


def test_a_broken_connection_owes_no_answer() -> None:
    """What was asked on it is asked again, and counts from then."""
    mark = Seen(5, "--", {"type": "disconnected"})
    assert late(said(0, "sync"), mark, until=50) == []
    assert late(said(0, "sync"), mark, said(20, "sync"), until=29) == []
    assert late(said(0, "sync"), mark, said(20, "sync"), until=31) == ["end"]


def test_a_search_has_a_result_in_time() -> None:
    """A ride, the end of the search and a state without it are results; a moved pin begins anew."""
    begin = said(0, "finder_update", is_active=True)
    answer = Seen(1, "<-", {"type": "ack", "id": "1", "data": {}})
    assert late(begin, answer, until=101) == ["end"]
    for result in (
        told(99, "ride_pickup"),
        told(99, "finder_update", is_active=False),
        told(99, "session_ready", state={"finder": {"is_active": False}}),
        told(99, "session_ready", state={"finder": None}),
    ):
        assert late(begin, answer, result, until=500) == []
    going_on = told(99, "session_ready", state={"finder": {"is_active": True}})
    assert late(begin, answer, going_on, until=500) == ["end"]
    moved = said(90, "finder_update", "2", is_active=True)
    assert late(begin, answer, moved, Seen(91, "<-", {"type": "ack", "id": "2", "data": {}}), until=189) == []


def test_searches_have_a_beginning_and_an_end() -> None:
    """A search that has not ended is none yet."""
    frames = [
        said(3, "finder_update", is_active=True), told(8, "ride_pickup"), told(9, "ride_start"),
        said(20, "finder_update", is_active=True),
    ]  # fmt: skip
    assert list(searches(frames)) == [(3, 8)]
