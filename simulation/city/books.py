"""What must hold of the books: one ride at a time, every ride ends, every rupiah agrees, and the fare is the road's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from simulation.city.news import ONCE_A_RIDE
from simulation.city.promises import Promises, Violation
from simulation.city.record import Facts, RideFacts, Seen, Somebody, ref_of

ENDS = frozenset({"COMPLETED", "CANCELLED"})
BILLED = frozenset({"ARRIVED", "COMPLETED"})
NEWS = {
    "CANCELLED": ("ride_pickup", "ride_cancelled"),
    "ARRIVED": ("ride_pickup", "ride_start", "ride_arrived"),
    "COMPLETED": ("ride_pickup", "ride_start", "ride_arrived", "ride_completed"),
}
"""What both parties of a ride must be told, by what has become of it."""


class BookRules:
    """Sees what phones are shown of rides and sums, and compares it with the books."""

    def __init__(self, people: dict[str, Somebody], promises: Promises) -> None:
        self._people, self._promises = people, promises
        self._shown: list[tuple[float, str, str, str]] = []
        self._sums: list[tuple[str, str, int]] = []
        self._written: set[tuple[str, str, str]] = set()

    def see(self, name: str, seen: Seen) -> None:
        """Remember what a phone is shown."""
        if not seen.is_told:
            return
        if seen.kind in ONCE_A_RIDE:
            self._shown.append((seen.at, name, seen.kind, ref_of(seen.data)))
        bill = seen.data.get("payment") if seen.kind == "ride_completed" else seen.data
        if seen.kind in ("payment_process", "ride_completed") and bill and bill.get("ride_id"):
            self._sums.append((name, bill["ride_id"], bill["total_cost"]))

    def compare(self, facts: Facts, now: float, *, is_over: bool) -> Iterator[Violation]:
        """Yield what is wrong in the books, or on the phones by them."""
        self._written.update((event.user_id, event.kind, event.ref) for event in facts.events)
        yield from self._one_ride_at_a_time(facts)
        for ride in facts.rides:
            if is_over or ride.status in ENDS:  # of others something may be booked right now
                for problem in _bookkeeping(ride):
                    yield self._of(ride, "books", problem)
                yield from self._fare(ride)
            if ride.status not in ENDS and is_over:
                yield self._of(ride, "no end", f"is {ride.status}")
            if is_over:
                yield from self._news_for_both(ride)
        yield from self._phones_show_the_books(facts, now, is_over=is_over)

    def _of(self, ride: RideFacts, rule: str, problem: str) -> Violation:
        names = {person.user_id: name for name, person in self._people.items()}
        parties = tuple(names[party] for party in (ride.driver_id, ride.passenger_id) if party in names)
        return Violation(rule, f"ride {ride.ride_id}: {problem}", parties, ride.ride_id)

    def _one_ride_at_a_time(self, facts: Facts) -> Iterator[Violation]:
        """A driver is busy to the arrival, a passenger to the payment."""
        own: dict[str, list[RideFacts]] = defaultdict(list)
        for ride in sorted(facts.rides, key=lambda ride: ride.began):
            own[ride.driver_id].append(ride)
            own[ride.passenger_id].append(ride)
        for name, person in self._people.items():
            for first, second in pairwise(own[person.user_id]):
                free: datetime | None = first.driver_free if person.is_driver else first.passenger_free
                if free is None or second.began < free:
                    text = f"{name} was on the rides {first.ride_id} and {second.ride_id}"
                    yield Violation("two rides", text, (name,), second.ride_id)

    def _news_for_both(self, ride: RideFacts) -> Iterator[Violation]:
        """What has happened to a ride was written down for both; that it reached them is a rule of the news."""
        names = {person.user_id: name for name, person in self._people.items()}
        for user_id in (ride.driver_id, ride.passenger_id):
            for kind in NEWS.get(ride.status, ()) if user_id in names else ():
                if (user_id, kind, ride.ride_id) not in self._written:
                    text = f"{kind} of ride {ride.ride_id} was never to be told to {names[user_id]}"
                    yield Violation("lost", text, (names[user_id],), ride.ride_id)

    def _fare(self, ride: RideFacts) -> Iterator[Violation]:
        """The billed distance is that of the road, within the marks of the meter; lies win nothing unseen.

        Where the phone had no fix at a corner, nobody knows the corner: the line that the fixes are on is enough.
        """
        if ride.true_km is None or ride.status not in BILLED:
            return
        least, most = ride.true_km if ride.line_km is None else ride.line_km, ride.true_km
        is_too_little = ride.billed_km < least - self._slack(least) and not ride.cheated
        is_too_much = ride.billed_km > most + self._slack(most) and not (ride.cheated and ride.flags)
        if is_too_little or is_too_much:
            yield self._of(ride, "fare", f"driven {ride.true_km:.3f} km, billed {ride.billed_km:.3f} km")

    def _slack(self, km: float) -> float:
        return self._promises.fare_share * km + self._promises.fare_km

    def _phones_show_the_books(self, facts: Facts, now: float, *, is_over: bool) -> Iterator[Violation]:
        """The rides that a phone shows are in the books, and the sums are theirs."""
        known = {ride.ride_id for ride in facts.rides}
        shown, self._shown = self._shown, []
        for at, name, kind, ride_id in shown:
            if ride_id in known:
                continue
            if not is_over and now <= at:  # the books were read before
                self._shown.append((at, name, kind, ride_id))
                continue
            yield Violation("books", f"{name} got {kind} of a ride that the books do not have", (name,), ride_id)
        costs = {ride.ride_id: ride.adjusted_cost for ride in facts.rides if ride.status in BILLED}
        sums, self._sums = self._sums, []
        for name, ride_id, total in sums:
            cost = costs.get(ride_id)
            if cost is None and not is_over:
                self._sums.append((name, ride_id, total))
            elif cost is not None and total != cost:
                text = f"{name} was shown {total}, the books have {cost}"
                yield Violation("books", text, (name,), ride_id)


def _bookkeeping(ride: RideFacts) -> Iterator[str]:
    """Yield where ledger, ride, receipt and payment differ; what is completed was paid once."""
    if ride.ledger_cost != ride.total_cost:
        yield f"the ledger has {ride.ledger_cost}, the ride {ride.total_cost}"
    if abs(ride.ledger_km - ride.billed_km) > 1e-6:
        yield f"the ledger has {ride.ledger_km} km, the ride {ride.billed_km} km"
    if ride.status not in BILLED:
        return
    if ride.receipt_cost != ride.total_cost:
        yield f"the receipt has {ride.receipt_cost}, the ride {ride.total_cost}"
    if ride.due_cost is not None and abs(ride.total_cost - ride.due_cost) > 1:
        yield f"{ride.billed_km} km cost {ride.due_cost}, the ride {ride.total_cost}"
    if ride.adjusted_cost != ride.total_cost:  # nobody in the city asks for less
        yield f"the ride has {ride.total_cost}, to be paid are {ride.adjusted_cost}"
    if [amount for _, amount in ride.payments] != [ride.adjusted_cost]:
        yield f"to be paid are {ride.adjusted_cost}, the payments are {ride.payments}"
    paid = sum(status == "ACCEPTED" for status, _ in ride.payments)
    if paid != (ride.status == "COMPLETED"):
        yield f"is {ride.status} and was paid {paid} times"
