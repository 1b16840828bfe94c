"""What the checker looks at: what each phone sent and was told, and what the books say in the end."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime

import msgspec

from nebengjek_client import Data


class Seen(msgspec.Struct, frozen=True):
    """A frame on the wire of one phone: when (seconds of the epoch), `->` or `<-`, and the frame itself."""

    at: float
    direction: str
    frame: Data

    @property
    def is_told(self) -> bool:
        """Whether the server has sent it."""
        return self.direction == "<-"

    @property
    def kind(self) -> str:
        """The frame's type."""
        return str(self.frame["type"])

    @property
    def data(self) -> Data:
        """The frame's data."""
        data: Data = self.frame["data"]
        return data


class Somebody(msgspec.Struct, frozen=True):
    """A person of the city. `full_name` and `msisdn` belong to nobody else."""

    name: str
    user_id: str
    full_name: str
    msisdn: str
    is_driver: bool


class RideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A ride as the books have it. Money is whole rupiah; `true_km` is None where nobody knows the way."""

    ride_id: str
    driver_id: str
    passenger_id: str
    status: str
    began: datetime
    driver_free: datetime | None
    passenger_free: datetime | None
    billed_km: float
    ledger_km: float
    ledger_cost: int
    total_cost: int
    receipt_cost: int
    adjusted_cost: int
    payments: tuple[tuple[str, int], ...]
    """Status and amount of each."""
    true_km: float | None = None


class Event(msgspec.Struct, frozen=True):
    """A notification that somebody has to get."""

    user_id: str
    at: float
    kind: str
    ref: str
    """The ride or match that it is about, or empty."""
    is_sure: bool = True
    """False where it may rightly not come any more, as an offer that has expired."""


class Facts(msgspec.Struct, frozen=True):
    """The final facts of a run."""

    rides: list[RideFacts] = []
    events: list[Event] = []


class Record:
    """The people and all frames of their phones, by name, in the order in which they were sent and came."""

    def __init__(self) -> None:
        self.people: dict[str, Somebody] = {}
        self.frames: dict[str, list[Seen]] = defaultdict(list)

    def note(self, name: str, direction: str, frame: Data) -> None:
        """Keep a frame; this is the log of a phone."""
        self.frames[name].append(Seen(time.time(), direction, frame))

    def told(self, name: str) -> list[Seen]:
        """Return what a phone was told."""
        return [seen for seen in self.frames[name] if seen.is_told]


def ref_of(data: Data) -> str:
    """Return the ride or else the match that a notification is about; empty where it is about neither."""
    for found in (data.get("ride_id"), (data.get("ride") or {}).get("ride_id"), data.get("match_id")):
        if found:
            return str(found)
    return ""
