"""What must hold of every run, as pure functions from a record and the final facts to the violations.

`check` runs them all. Each rule that is broken names the people and the ride.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise

from simulation.city.promises import Promises, Violation
from simulation.city.record import Facts, Record, RideFacts, Seen, ref_of
from simulation.city.strangers import nothing_personal_to_strangers

ONCE_A_RIDE = frozenset({"ride_pickup", "ride_start", "ride_arrived", "ride_completed", "ride_cancelled"})
ENDS = frozenset({"COMPLETED", "CANCELLED"})
BILLED = frozenset({"ARRIVED", "COMPLETED"})
STATE_AGE = 2.0
"""Seconds before a fresh state within which an event may be part of it already, or still come."""


Rule = Callable[[Record, Facts, Promises], Iterator[Violation]]


def notifications_in_order(record: Record, _facts: Facts, _promises: Promises) -> Iterator[Violation]:
    """Numbers follow each other; only a session with a fresh state may begin elsewhere."""
    for name in record.people:
        epoch, last = "", -1
        for seen in record.told(name):
            expected, data = last + 1, seen.data
            if seen.kind == "session_ready":
                if data["recovered"] and (data["epoch"], data["seq"]) != (epoch, last):
                    text = f"{name} resumed at {data['epoch']}:{data['seq']} instead of {epoch}:{last}"
                    yield Violation("order", text, (name,))
                epoch, last = data["epoch"], data["seq"]
            elif (seq := seen.frame.get("seq")) is not None:
                if seq != expected:
                    what = "lost" if seq > expected else "doubled or out of order"
                    text = f"{name} got {seen.kind} {seq} instead of {expected}: {what}"
                    yield Violation("order", text, (name,), ref_of(data))
                last = max(last, seq)


def nothing_is_lost(record: Record, facts: Facts, _promises: Promises) -> Iterator[Violation]:
    """What was written down for somebody after their last fresh state has reached their phone."""
    names = {person.user_id: name for name, person in record.people.items()}
    since = {name: _last_state(record.told(name)) for name in record.people}
    wanted = Counter(
        (names[event.user_id], event.kind, event.ref)
        for event in facts.events
        if event.is_sure and event.user_id in names and event.at > since[names[event.user_id]] + STATE_AGE
    )
    came = Counter((name, seen.kind, ref_of(seen.data)) for name in record.people for seen in record.told(name))
    for (name, kind, ref), count in wanted.items():
        if (found := came[name, kind, ref]) < count:
            yield Violation("lost", f"{name} got {found} of {count} {kind} of {ref or 'their own'}", (name,), ref)


def _last_state(told: list[Seen]) -> float:
    """Return when a fresh state stood in for notifications for the last time; never (infinity) without a session."""
    at, here = float("inf"), ("", -1)
    for seen in told:
        if seen.kind == "session_ready":
            place = (seen.data["epoch"], seen.data["seq"])
            at, here = (at if place == here else seen.at), place
        elif "seq" in seen.frame:
            here = (here[0], seen.frame["seq"])
    return at


def nothing_is_told_twice(record: Record, facts: Facts, _promises: Promises) -> Iterator[Violation]:
    """News of a ride or a match come as often as they were written down, also under new numbers."""
    names = {person.user_id: name for name, person in record.people.items()}
    written = Counter((names.get(event.user_id), event.kind, event.ref) for event in facts.events)
    for name in record.people:
        news = Counter((seen.kind, ref_of(seen.data)) for seen in record.told(name) if "seq" in seen.frame)
        for (kind, ref), count in news.items():
            allowed = 1 if kind in ONCE_A_RIDE else max(1, written[name, kind, ref])
            if ref and count > allowed:
                yield Violation("doubled", f"{name} got {kind} {count} times instead of {allowed}", (name,), ref)


def one_ride_at_a_time(record: Record, facts: Facts, _promises: Promises) -> Iterator[Violation]:
    """A driver is busy to the arrival, a passenger to the payment."""
    for name, person in record.people.items():
        side = "driver" if person.is_driver else "passenger"
        own = [ride for ride in facts.rides if getattr(ride, f"{side}_id") == person.user_id]
        for first, second in pairwise(sorted(own, key=lambda ride: ride.began)):
            free: datetime | None = getattr(first, f"{side}_free")
            if free is None or second.began < free:
                text = f"{name} was on the rides {first.ride_id} and {second.ride_id}"
                yield Violation("two rides", text, (name,), second.ride_id)


def rides_end(record: Record, facts: Facts, _promises: Promises) -> Iterator[Violation]:
    """Every ride is completed or cancelled."""
    for ride in facts.rides:
        if ride.status not in ENDS:
            yield Violation("no end", f"the ride {ride.ride_id} is {ride.status}", _parties(record, ride), ride.ride_id)


def books_agree(record: Record, facts: Facts, _promises: Promises) -> Iterator[Violation]:
    """Ledger, ride, receipt and payment have the same sum, and what is completed was paid once."""
    for ride in facts.rides:
        for problem in _bookkeeping(ride):
            yield Violation("books", f"ride {ride.ride_id}: {problem}", _parties(record, ride), ride.ride_id)


def _bookkeeping(ride: RideFacts) -> Iterator[str]:
    if ride.ledger_cost != ride.total_cost:
        yield f"the ledger has {ride.ledger_cost}, the ride {ride.total_cost}"
    if abs(ride.ledger_km - ride.billed_km) > 1e-6:
        yield f"the ledger has {ride.ledger_km} km, the ride {ride.billed_km} km"
    if ride.status not in BILLED:
        return
    if ride.receipt_cost != ride.total_cost:
        yield f"the receipt has {ride.receipt_cost}, the ride {ride.total_cost}"
    if [amount for _, amount in ride.payments] != [ride.adjusted_cost]:
        yield f"to be paid are {ride.adjusted_cost}, the payments are {ride.payments}"
    paid = sum(status == "ACCEPTED" for status, _ in ride.payments)
    if paid != (ride.status == "COMPLETED"):
        yield f"is {ride.status} and was paid {paid} times"


def phones_show_the_books(record: Record, facts: Facts, _promises: Promises) -> Iterator[Violation]:
    """The rides that a phone shows are in the books, and the sums are theirs."""
    costs = {ride.ride_id: ride.adjusted_cost for ride in facts.rides if ride.status in BILLED}
    known = {ride.ride_id for ride in facts.rides}
    for name in record.people:
        for seen in record.told(name):
            if seen.kind in ONCE_A_RIDE and (ride_id := ref_of(seen.data)) not in known:
                yield Violation(
                    "books", f"{name} got {seen.kind} of a ride that the books do not have", (name,), ride_id
                )
            data = seen.data.get("payment") if seen.kind == "ride_completed" else seen.data
            if seen.kind in ("payment_process", "ride_completed") and data and data.get("ride_id") in costs:
                cost = costs[data["ride_id"]]
                if data["total_cost"] != cost:
                    text = f"{name} was shown {data['total_cost']}, the books have {cost}"
                    yield Violation("books", text, (name,), data["ride_id"])


def fares_are_true(record: Record, facts: Facts, promises: Promises) -> Iterator[Violation]:
    """The billed distance is that of the road, within the marks of the meter."""
    for ride in facts.rides:
        if ride.true_km is None or ride.status not in BILLED:
            continue
        if abs(ride.billed_km - ride.true_km) > promises.fare_share * ride.true_km + promises.fare_km:
            text = f"ride {ride.ride_id}: driven {ride.true_km:.3f} km, billed {ride.billed_km:.3f} km"
            yield Violation("fare", text, _parties(record, ride), ride.ride_id)


def nobody_waits_too_long(record: Record, _facts: Facts, promises: Promises) -> Iterator[Violation]:
    """A search has its result in time, and so has a command its answer."""
    for name in record.people:
        frames = record.frames[name]
        last = frames[-1].at if frames else 0.0
        for what, limit, begun, ended in [
            *(("the search", promises.search, *span) for span in searches(frames)),
            *(("an answer", promises.answer, *span) for span in answers(frames)),
        ]:
            if (seconds := (last if ended is None else ended) - begun) > limit:
                yield Violation("wait", f"{name} waited {seconds:.1f} s for {what}, {limit:g} are promised", (name,))


def searches(frames: list[Seen]) -> Iterator[tuple[float, float | None]]:
    """Yield when each search of a passenger began and ended; None is an end that the frames do not have."""
    begun: Seen | None = None
    for seen in frames:
        if seen.kind == "finder_update" and not seen.is_told and seen.data["is_active"]:
            begun = seen
        elif begun is not None and _ends_search(seen, begun):
            yield begun.at, seen.at
            begun = None
    if begun is not None:
        yield begun.at, None


def _ends_search(seen: Seen, begun: Seen) -> bool:
    if seen.kind == "session_ready":
        return not (seen.data["state"].get("finder") or {}).get("is_active")
    return (
        seen.kind == "ride_pickup"
        or (seen.kind == "finder_update" and not seen.data["is_active"])
        or (seen.kind == "error" and seen.frame.get("id") == begun.frame.get("id"))
    )


def answers(frames: list[Seen]) -> Iterator[tuple[float, float | None]]:
    """Yield when each command was sent and answered; one that was sent again counts from the last time.

    Positions are left out: after a broken connection they are sent again without the id.
    """
    waiting: dict[str, float] = {}
    for seen in frames:
        command_id = str(seen.frame.get("id", ""))
        if command_id and not seen.is_told and seen.kind != "location_update":
            waiting[command_id] = seen.at
        elif command_id in waiting:
            yield waiting.pop(command_id), seen.at
    yield from ((begun, None) for begun in waiting.values())


def _parties(record: Record, ride: RideFacts) -> tuple[str, ...]:
    names = {person.user_id: name for name, person in record.people.items()}
    return tuple(names[party] for party in (ride.driver_id, ride.passenger_id) if party in names)


def check(record: Record, facts: Facts, promises: Promises | None = None) -> list[Violation]:
    """Return everything that is wrong; nothing is what must come out."""
    rules: tuple[Rule, ...] = (
        notifications_in_order, nothing_is_lost, nothing_is_told_twice, one_ride_at_a_time, rides_end, books_agree,
        phones_show_the_books, fares_are_true, nobody_waits_too_long, nothing_personal_to_strangers,
    )  # fmt: skip
    limits = promises or Promises()
    return [violation for rule in rules for violation in rule(record, facts, limits)]
