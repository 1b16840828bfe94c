"""An honest record of one ride, for tests to spoil."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from simulation.city.invariants import check
from simulation.city.record import Event, Facts, Record, RideFacts, Seen, Somebody

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = BEGAN.timestamp()
CELL = {"latitude": -6.176, "longitude": 106.825}
HOME = {"latitude": -6.17541, "longitude": 106.82722}
WORK = {"latitude": -6.18551, "longitude": 106.83111}
STAND = {"latitude": -6.17601, "longitude": 106.82801}
PAIR = {"driver_id": "d", "passenger_id": "p"}
RIDE = {"ride_id": "r1", **PAIR}
PAYMENT = {"payment_id": "y1", "ride_id": "r1", "total_cost": 6000}


def session(seq: int = 0, *, epoch: str = "e", recovered: bool = False, **state: Any) -> dict[str, Any]:
    """Return a `session_ready`."""
    return {"type": "session_ready", "data": {"epoch": epoch, "seq": seq, "recovered": recovered, "state": state}}


def honest() -> tuple[Record, Facts]:
    """Return what Joko's and Putri's phones saw of one ride, Tono's phone of none, and what the books have."""
    record = Record()
    for name, user_id, number, drives in (("Joko", "d", 1, True), ("Putri", "p", 2, False), ("Tono", "t", 3, False)):
        record.people[name] = Somebody(name, user_id, f"{name} of the City", f"+62812000000{number}", drives)
    for name in record.people:
        tell(record, name, session())
    say(record, "Joko", "beacon_update", {"is_active": True, **STAND}, "b1")
    say(record, "Putri", "finder_update", {"is_active": True, "location": HOME, "target_location": WORK}, "f1")
    tell(
        record, "Joko", told("match_proposal", 1, {"match_id": "m", "location": CELL, "target_location": CELL, **PAIR})
    )
    tell(
        record, "Putri", told("match_proposal", 1, {"match_id": "m", "location": HOME, "driver_location": CELL, **PAIR})
    )
    known = {"driver": {"full_name": "Joko of the City"}, "passenger": {"full_name": "Putri of the City"}}
    both = {"match_id": "m", "location": HOME, "target_location": WORK, "driver_location": STAND, **PAIR, **known}
    for name in ("Joko", "Putri"):
        tell(record, name, told("match_confirm", 2, {"match_status": "ACCEPTED", **both}))
        tell(record, name, told("ride_pickup", 3, {**RIDE, "match_id": "m", **known}))
        tell(record, name, told("ride_start", 4, RIDE))
    tell(record, "Putri", {"type": "location_update", "data": {"ride_id": "r1", "user_id": "d", **STAND}})
    for name in ("Joko", "Putri"):
        tell(record, name, told("ride_arrived", 5, RIDE))
        tell(record, name, told("payment_process", 6, {**PAYMENT, "status": "PENDING"}))
        tell(record, name, told("ride_completed", 7, {"ride": RIDE, "payment": PAYMENT}))
    return record, Facts([ride()], [*news_of("r1"), Event("p", NOW + 20, "ride_completed", "r1")])


def news_of(ride_id: str, *user_ids: str) -> list[Event]:
    """Return what was written down for the parties of a completed ride, so early that nobody waits for it any more."""
    kinds = ("ride_pickup", "ride_start", "ride_arrived", "ride_completed")
    return [Event(user_id, NOW, kind, ride_id) for user_id in user_ids or ("d", "p") for kind in kinds]


def ride(**changed: Any) -> RideFacts:
    """Return the ride as the books have it."""
    later = BEGAN + timedelta(minutes=10)
    facts: dict[str, Any] = {
        "ride_id": "r1", **PAIR, "status": "COMPLETED", "began": BEGAN, "driver_free": later, "passenger_free": later,
        "billed_km": 2.0, "ledger_km": 2.0, "ledger_cost": 6000, "total_cost": 6000, "receipt_cost": 6000,
        "adjusted_cost": 6000, "payments": (("ACCEPTED", 6000),), "true_km": 2.03,
    }  # fmt: skip
    return RideFacts(**{**facts, **changed})


def told(kind: str, seq: int, data: dict[str, Any]) -> dict[str, Any]:
    """Return a notification."""
    return {"type": kind, "seq": seq, "data": data}


def tell(record: Record, name: str, frame: dict[str, Any], *, after: float = 1) -> None:
    """Let a phone be told something, a second after the frame before."""
    record.frames[name].append(Seen(_next(record, name, after), "<-", frame))


def say(record: Record, name: str, kind: str, data: dict[str, Any], command_id: str) -> None:
    """Let a phone send a command, and get its answer."""
    record.frames[name].append(Seen(_next(record, name), "->", {"type": kind, "data": data, "id": command_id}))
    tell(record, name, {"type": "ack", "data": {}, "id": command_id})


def _next(record: Record, name: str, after: float = 1) -> float:
    frames = record.frames[name]
    return frames[-1].at + after if frames else NOW


def mark(record: Record, name: str, kind: str, data: dict[str, Any] | None = None, *, after: float = 1) -> None:
    """Let a phone hear nothing from here on."""
    record.frames[name].append(Seen(_next(record, name, after), "--", {"type": kind, "data": data or {}}))


def index(record: Record, name: str, kind: str) -> int:
    """Return which frame of a phone is the first of a kind."""
    return next(n for n, seen in enumerate(record.frames[name]) if seen.is_told and seen.kind == kind)


def found(record: Record, facts: Facts) -> list[tuple[str, str]]:
    """Return the rules that were broken, and on which rides."""
    return [(violation.rule, violation.ride_id) for violation in check(record, facts)]
