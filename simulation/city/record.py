"""What the checker looks at: what each phone sent and was told, and what the books say in the end."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import msgspec

from nebengjek_client import Data


class Seen(msgspec.Struct, frozen=True):
    """A frame on the wire of one phone: when (seconds of the epoch), `->` or `<-`, and the frame itself.

    With `--` it is a mark: from here on the phone hears nothing, as it is `disconnected` or `asleep`.
    """

    at: float
    direction: str
    frame: Data

    @property
    def is_told(self) -> bool:
        """Whether the server has sent it."""
        return self.direction == "<-"

    @property
    def is_said(self) -> bool:
        """Whether the phone has sent it."""
        return self.direction == "->"

    @property
    def is_mark(self) -> bool:
        """Whether it is no frame, but the end of a time in which the phone heard what was sent to it."""
        return self.direction == "--"

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
    due_cost: int | None = None
    """What the billed distance costs at the rate of the settings; None where a tariff or a quote says otherwise."""
    true_km: float | None = None
    line_km: float | None = None
    """The straight lines between the true places of which the phone had a fix; None where that is the road."""
    cheated: bool = False
    """Whether the driver's phone has told lies on it."""
    flags: str = ""
    """Why support is asked to look at it."""


class Driven(msgspec.Struct):
    """How a ride really was.

    `km` is the length of the road, `line_km` that of the straight lines between the true places of which the phone had
    a fix, `cheated` whether the driver's phone has told lies.
    """

    km: float = 0.0
    line_km: float = 0.0
    cheated: bool = False


class Event(msgspec.Struct, frozen=True):
    """A notification that somebody has to get."""

    user_id: str
    at: float
    kind: str
    ref: str
    """The ride or match that it is about, or empty."""
    until: float | None = None
    """When it may rightly not come any more, as an offer that has expired; None is never."""


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """What was done to a part of the system: `kill`, `freeze` or `restart`, from when until it was there again."""

    at: float
    until: float
    target: str
    kind: str


class Sample(msgspec.Struct, frozen=True, tag="sample"):
    """What a part of the system has used until a moment: seconds of processor since it began, and bytes of memory."""

    at: float
    target: str
    pid: int
    cpu: float
    memory: int


class Facts(msgspec.Struct, frozen=True):
    """What the books, the outbox and the log of the faults have of a run, up to now or in the end."""

    rides: list[RideFacts] = []
    events: list[Event] = []
    faults: list[Fault] | None = None
    """None where nobody has kept a log."""
    samples: list[Sample] = []


class Record:
    """The people and all frames of their phones, by name, in the order in which they were sent and came.

    `watch` is called with each frame as it comes.
    """

    def __init__(self, watch: Callable[[str, Seen], object] = lambda _name, _seen: None) -> None:
        self.people: dict[str, Somebody] = {}
        self.frames: dict[str, list[Seen]] = defaultdict(list)
        self.tracks: dict[str, list[Data]] = {}
        """The positions that the server has of a ride whose fare is in doubt, by ride, as they were booked."""
        self.watch = watch

    def note(self, name: str, direction: str, frame: Data) -> None:
        """Keep a frame; this is the log of a phone."""
        seen = Seen(time.time(), direction, frame)
        self.frames[name].append(seen)
        self.watch(name, seen)

    def told(self, name: str) -> list[Seen]:
        """Return what a phone was told."""
        return [seen for seen in self.frames[name] if seen.is_told]


def ref_of(data: Data) -> str:
    """Return the ride or else the match that a notification is about; empty where it is about neither."""
    for found in (data.get("ride_id"), (data.get("ride") or {}).get("ride_id"), data.get("match_id")):
        if found:
            return str(found)
    return ""
