"""What is promised, and what is written down when it is not kept."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from simulation.city.record import Record, ref_of


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """The limits by which is judged: seconds, and how far the billed distance may be from the true one."""

    search: float = 110.0
    """From a search to a ride or the word that there is no driver: all attempts, and what lies between them."""
    answer: float = 10.0
    """From a command, on a connection that lives, to its answer."""
    news: float = 30.0
    """From the moment when something was written down for somebody to its frame, on a connection that lives."""
    offer: float = 7.5
    """The same for an offer, which is of no use later."""
    held: float = 18.0
    """How long an offer may be held up by a server that is half dead; one that is open for longer is never dropped."""
    fare_share: float = 0.05
    """The p99 of the meter's error with up to 10 m of noise (docs/meter.md)."""
    fare_km: float = 0.05
    """What a ride may be off beside that, because its ends are noisy too."""


class Violation(msgspec.Struct, frozen=True):
    """A promise that was not kept, by whose phones it shows, and on which ride."""

    rule: str
    text: str
    people: tuple[str, ...] = ()
    ride_id: str = ""

    def __str__(self) -> str:
        ride = f" (ride {self.ride_id})" if self.ride_id and self.ride_id not in self.text else ""
        return f"{self.rule}: {self.text}{ride}"


def keep_evidence(violation: Violation, record: Record, folder: Path, number: int) -> Path:
    """Write the frames concerned by a violation into a file of its own, a frame a line; return the file.

    These are all frames of the people it names; those that name its ride have `"concerned": true`. Behind them are the
    positions that the server has of the ride, once they have been read (`"track"`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"violation-{number:03}.jsonl"
    lines = [json.dumps(msgspec.to_builtins(violation))]
    for name in violation.people:
        for seen in record.frames[name]:
            concerned = bool(violation.ride_id) and ref_of(seen.data) == violation.ride_id
            lines.append(json.dumps({"person": name, "concerned": concerned, **msgspec.to_builtins(seen)}))
    lines += [json.dumps({"track": point}, default=str) for point in record.tracks.get(violation.ride_id, ())]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
