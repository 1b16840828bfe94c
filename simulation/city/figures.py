"""The figures of a run: how long things took, how right the fares were, and what became of the rides."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from simulation.city.record import Facts, Fault, Record, Sample, ref_of
from simulation.city.waits import searches
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


SHARES = (0.5, 0.99, 0.999)

AROUND = 5.0
"""Seconds after a fault whose commands count for its recovery."""

SUPPLIES = ((0.0, 2.0, "fewer than 2"), (2.0, 10.0, "2 to 10"), (10.0, float("inf"), "10 or more"))
"""Free drivers for each search, from and to."""

Press = tuple[float, float]
"""When a command was sent, and when the other party was shown what it caused."""


class Figure(msgspec.Struct, frozen=True):
    """Values with a name, a unit and what they mean."""

    name: str
    unit: str
    meaning: str
    values: list[float]

    def __str__(self) -> str:
        """Say it in a line."""
        shares = ", ".join(f"p{share * 100:g} {percentile(self.values, share):.4g}" for share in SHARES)
        return f"{self.name}: {shares} {self.unit} ({len(self.values)} times)"


class Usage(msgspec.Struct, frozen=True):
    """What a part of the system has used: seconds of processor, as a share of one, and bytes at the most."""

    target: str
    cpu: float
    share: float
    memory: int

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.target}: {self.cpu:.1f} s of processor ({self.share:.0%} of one), {self.memory / 2**20:.0f} MiB"


def figures(record: Record, facts: Facts) -> list[Figure]:
    """Return the figures of a run."""
    offered, screen = "the offer's row to its frame at the driver's phone", "what it causes on the other's"
    presses = list(_presses(record))
    return [
        Figure("offer to device", "ms", f"From {offered}.", list(_offers(record, facts))),
        Figure("press to screen", "ms", f"From a command on one phone to {screen}.", _milliseconds(presses)),
        Figure(
            "time to a driver", "s", "From a search that found a driver to the ride.", list(_finds(record).values())
        ),
        *_by_supply(record, facts),
        Figure("fare error", "%", "Between the billed distance and the road's, unsigned.", list(_fare_errors(facts))),
        *_recoveries(presses, facts.faults or []),
    ]


def usage(samples: list[Sample]) -> list[Usage]:
    """Return what each part of the system has used, by its samples."""
    own: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        own[sample.target].append(sample)
    return [_usage(target, found) for target, found in sorted(own.items())]


def _usage(target: str, samples: list[Sample]) -> Usage:
    seconds = 0.0
    for before, after in pairwise(samples):
        began = before.cpu if before.pid == after.pid else 0.0
        seconds += max(0.0, after.cpu - began)  # less is what processes had that have ended
    lasted = samples[-1].at - samples[0].at
    return Usage(target, seconds, seconds / lasted if lasted else 0.0, max(sample.memory for sample in samples))


def _milliseconds(presses: list[Press]) -> list[float]:
    return [(shown - pressed) * 1000 for pressed, shown in presses]


def _recoveries(presses: list[Press], faults: list[Fault]) -> Iterator[Figure]:
    """Yield the longest wait around each fault, by what happened to what."""
    own: dict[tuple[str, str], list[float]] = defaultdict(list)
    for fault in faults:
        around = [shown - pressed for pressed, shown in presses if fault.at <= pressed <= fault.until + AROUND]
        if around:
            own[fault.kind, fault.target.partition("-")[0]].append(max(around))
    meaning = "The longest from a command to the other's phone, of commands sent meanwhile and in the {:g} s after."
    for (kind, target), values in sorted(own.items()):
        yield Figure(f"recovery after {kind} of {target}", "s", meaning.format(AROUND), values)


def _by_supply(record: Record, facts: Facts) -> Iterator[Figure]:
    """Yield the time to a driver by how many were free for each search when it began."""
    found = _finds(record)
    if not found:
        return
    drivers = sum(person.is_driver for person in record.people.values())
    rides = [
        (ride.began.timestamp(), ride.driver_free.timestamp() if ride.driver_free else 0.0) for ride in facts.rides
    ]
    spans = [(begun, begun + seconds) for (_, begun), seconds in found.items()]
    supply = {
        begun: (drivers - _going_on(rides, begun)) / max(1, _going_on(spans, begun)) for (_, begun) in found
    }  # fmt: skip
    for low, high, name in SUPPLIES:
        values = [seconds for (_, begun), seconds in found.items() if low <= supply[begun] < high]
        yield Figure(
            f"time to a driver, {name}", "s", "The same, by free drivers for each search at its beginning.", values
        )


def _going_on(spans: list[tuple[float, float]], at: float) -> int:
    return sum(begun <= at < ended for begun, ended in spans)


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


def _presses(record: Record) -> Iterator[Press]:
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
            if not seen.is_said or seen.kind not in ANSWERS or command_id in pressed:
                continue
            pressed.add(command_id)
            later = [
                at
                for kind in ANSWERS[seen.kind]
                for at, other in _after(screens[kind, ref_of(seen.data)], seen.at)
                if other != name
            ]
            if later:
                yield seen.at, min(later)


def _after(shown: list[tuple[float, str]], at: float) -> list[tuple[float, str]]:
    return shown[bisect_left(shown, (at, "")) :]


def _finds(record: Record) -> dict[tuple[str, float], float]:
    """Return how long each search took that found a driver, by passenger and when it began."""
    found = {}
    for name in record.people:
        pickups = {seen.at for seen in record.told(name) if seen.kind == "ride_pickup"}
        for begun, ended in searches(record.frames[name]):
            if ended in pickups:
                found[name, begun] = ended - begun
    return found


def _fare_errors(facts: Facts) -> Iterator[float]:
    for ride in facts.rides:
        if ride.true_km:
            yield abs(ride.billed_km - ride.true_km) / ride.true_km * 100
