"""The figures of a run: how long things took, how right the fares were, and what became of the rides."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator

import msgspec

from simulation.city.invariants import searches
from simulation.city.record import Facts, Record, ref_of
from simulation.run import percentile

ANSWERS = {
    "match_confirm": ("match_confirm", "match_rejected"),
    "ride_start": ("ride_start",),
    "ride_arrived": ("ride_arrived",),
    "ride_cancel": ("ride_cancelled",),
    "payment_process": ("payment_process", "ride_completed"),
    "payment_received": ("ride_completed",),
}
"""What the other party is shown after each command."""


class Figure(msgspec.Struct, frozen=True):
    """Values with a name, a unit and what they mean."""

    name: str
    unit: str
    meaning: str
    values: list[float]

    def __str__(self) -> str:
        """Say it in a line."""
        shares = ", ".join(f"p{share * 100:g} {percentile(self.values, share):.4g}" for share in (0.5, 0.99))
        return f"{self.name}: {shares} {self.unit} ({len(self.values)} times)"


def figures(record: Record, facts: Facts) -> list[Figure]:
    """Return the figures of a run."""
    offered, screen = "the offer's row to its frame at the driver's phone", "what it causes on the other's"
    return [
        Figure("offer to device", "ms", f"From {offered}.", list(_offers(record, facts))),
        Figure("press to screen", "ms", f"From a command on one phone to {screen}.", list(_presses(record))),
        Figure("time to a driver", "s", "From a search that found a driver to the ride.", list(_finds(record))),
        Figure("fare error", "%", "Between the billed distance and the road's, unsigned.", list(_fare_errors(facts))),
    ]


def outcomes(facts: Facts) -> Counter[str]:
    """Return how many rides ended in which status."""
    return Counter(ride.status for ride in facts.rides)


def _offers(record: Record, facts: Facts) -> Iterator[float]:
    made = {(event.user_id, event.ref): event.at for event in facts.events if event.kind == "match_proposal"}
    for name, person in record.people.items():
        for seen in record.told(name) if person.is_driver else ():
            at = made.pop((person.user_id, ref_of(seen.data)), None) if seen.kind == "match_proposal" else None
            if at is not None:
                yield (seen.at - at) * 1000


def _presses(record: Record) -> Iterator[float]:
    screens: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for name in record.people:
        for seen in record.told(name):
            screens[seen.kind, ref_of(seen.data)].append((seen.at, name))
    for shown in screens.values():
        shown.sort()
    for name in record.people:
        pressed: set[str] = set()
        for seen in record.frames[name]:
            command_id = str(seen.frame.get("id", ""))
            if seen.is_told or seen.kind not in ANSWERS or command_id in pressed:
                continue
            pressed.add(command_id)
            later = [
                at
                for kind in ANSWERS[seen.kind]
                for at, other in _after(screens[kind, ref_of(seen.data)], seen.at)
                if other != name
            ]
            if later:
                yield (min(later) - seen.at) * 1000


def _after(shown: list[tuple[float, str]], at: float) -> list[tuple[float, str]]:
    return shown[bisect_left(shown, (at, "")) :]


def _finds(record: Record) -> Iterator[float]:
    for name in record.people:
        pickups = {seen.at for seen in record.told(name) if seen.kind == "ride_pickup"}
        for begun, ended in searches(record.frames[name]):
            if ended in pickups:
                yield ended - begun


def _fare_errors(facts: Facts) -> Iterator[float]:
    for ride in facts.rides:
        if ride.true_km:
            yield abs(ride.billed_km - ride.true_km) / ride.true_km * 100
