"""Counters of this process; `realtime.operations.prometheus` shows them.

Every label comes from a fixed list, so no client and no other service can make new series. As all series are known
beforehand, each has its place in a table of numbers: a count is one addition. Where several workers serve one port
their tables are files in `METRICS_FOLDER`, and the worker that is scraped adds them up.
(The objects of prometheus-client cost three times as much, and with its files for several processes eight times.)
"""

from __future__ import annotations

import mmap
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter, time
from typing import Literal, TypeAlias

import msgspec
from django.conf import settings

from common.errors import ErrorCode
from common.metric_files import ENDED, LIVE
from realtime.commands.routes import ROUTES
from realtime.contract.frames import CloseCode
from rides.events import EVENTS
from users.models import Role

Cells: TypeAlias = "array[float] | memoryview[float]"

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds: the upper bounds of the histograms."""

OTHER = "other"
"""The label of whatever stands in none of the lists."""

INVALID = "invalid"
"""The type of frames that are not of the contract."""

ANSWERS = ("ack", "error", "location_update", "server_restarting", "session_ready", "token_expiring")
CLOSE_CODES = (1000, 1001, 1005, 1006, 1007, *map(int, CloseCode))
LIMITS = ("command", "costly", "location", "connect", "rest", "frame", "connection")
LOOPS = (
    "clock", "database", "heartbeat", "lag", "link", "memory", "only_server", "positions", "receipts", "relay", "roll",
    "timers", "tokens", "tracks",
)  # fmt: skip
ANSWERED = ("1xx", "2xx", "3xx", "4xx", "5xx")


class Family(msgspec.Struct, frozen=True):
    """Series of one name: where the cells of each begin, by its labels.

    A histogram has a cell for each bucket, one for what is above, and one for the sum.
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    text: str
    labels: tuple[str, ...]
    places: dict[tuple[str, ...], int]

    @property
    def width(self) -> int:
        """How many cells a series has."""
        return len(BUCKETS) + 2 if self.kind == "histogram" else 1


FAMILIES: list[Family] = []


def _size() -> int:
    return sum(family.width * len(family.places) for family in FAMILIES)


def _family(
    kind: Literal["counter", "gauge", "histogram"],
    name: str,
    text: str,
    labels: Sequence[str] = (),
    series: Iterable[tuple[str, ...]] = ((),),
) -> dict[tuple[str, ...], int]:
    """Give each series its place."""
    family = Family(kind, f"nebengjek_{name}", text, tuple(labels), {})
    FAMILIES.append(family)
    for one in series:
        family.places[one] = _size()
    return family.places


_connections = _family("gauge", "connections", "Open sockets.", ["role"], [(role,) for role in Role.values])
_frames = _family(
    "counter",
    "frames",
    "Frames by direction and type.",
    ["direction", "type"],
    [
        *(("in", kind) for kind in (*ROUTES, INVALID)),
        *(("out", kind) for kind in (*ANSWERS, *sorted({event.type for event in EVENTS}), OTHER)),
    ],
)
_errors = _family("counter", "errors", "Error frames by code.", ["code"], [(code,) for code in (*ErrorCode, OTHER)])
_handling = _family(
    "histogram", "handler_seconds", "From a client's frame to its answer.", ["type"], [(kind,) for kind in ROUTES]
)
_delivery = _family("histogram", "delivery_seconds", "From an event to the socket of who hears it.")
_receipt = _family("histogram", "receipt_seconds", "From an event to its receipt by the device.")
_dropped = _family("counter", "layer_dropped", "Messages that found a mailbox full.")
_repairs = _family("counter", "history_refills", "Gaps, by what closed them.", ["by"], [("history",), ("state",)])
_limits = _family(
    "counter", "rate_limited", "What was refused, by the limit it met.", ["limit"], [(name,) for name in LIMITS]
)
_answered = _family("counter", "http_answers", "Answers over HTTP.", ["status"], [(name,) for name in ANSWERED])
_closed = _family(
    "counter",
    "closed",
    "Sockets that ended, by close code.",
    ["code"],
    [(str(code),) for code in (*CLOSE_CODES, OTHER)],
)

_loop_failures = _family(
    "counter", "loop_failures", "Failures of background work, by its name.", ["loop"], [(name,) for name in LOOPS]
)
_unwritten = _family("counter", "track_flush_failures", "Rides whose reported points could not be written, by try.")
_lag = _family("histogram", "event_loop_lag_seconds", "How late the event loop is, looked at twice a second.")

_invalid = _frames["in", INVALID]
_received = {kind: (_frames["in", kind], _handling[kind,]) for kind in ROUTES}
_sent = {kind: place for (direction, kind), place in _frames.items() if direction == "out"}
_error_codes = {code: place for (code,), place in _errors.items()}


def _open_cells() -> Cells:
    """Return the table of this process, all zeros."""
    size = 8 * _size()
    if not settings.METRICS_FOLDER:
        return array("d", bytes(size))
    with Path(settings.METRICS_FOLDER, f"{os.getpid()}{LIVE}").open("w+b") as file:
        file.truncate(size)
        return memoryview(mmap.mmap(file.fileno(), size)).cast("d")


cells = _open_cells()


def table() -> Cells:
    """Return the numbers of this process, or of all workers of its port added up."""
    if not settings.METRICS_FOLDER:
        return cells
    gauges = [place for family in FAMILIES if family.kind == "gauge" for place in family.places.values()]
    total = array("d", bytes(8 * len(cells)))
    for path in sorted(Path(settings.METRICS_FOLDER).iterdir()):
        one = array("d", path.read_bytes())
        if path.suffix == ENDED:
            for place in gauges:
                one[place] = 0
        if len(one) == len(total):  # one that begins just now has nothing yet
            total = array("d", map(sum, zip(total, one, strict=True)))
    return total


class Totals(msgspec.Struct, frozen=True):
    """What was counted since the server began, or since its workers did."""

    frames_in: float
    frames_out: float
    errors: float


def totals() -> Totals:
    """Add up the frames, and the errors among them."""
    now = table()
    both = {"in": 0.0, "out": 0.0}
    for (direction, _), place in _frames.items():
        both[direction] += now[place]
    return Totals(both["in"], both["out"], sum(now[place] for place in _errors.values()))


# --- counting, from the event loop only -------------------------------------------------------------------------------


def handled(kind: str, begun: float) -> None:
    """Count a client's frame, and measure how long it took since `begun` (by `perf_counter`)."""
    places = _received.get(kind)
    if places is None:
        cells[_invalid] += 1
    else:
        cells[places[0]] += 1
        _observe(places[1], perf_counter() - begun)


def sent(kind: str) -> None:
    """Count a frame of this type for a client."""
    cells[_sent.get(kind) or _sent[OTHER]] += 1


def refused(code: str) -> None:
    """Count an error frame by its code."""
    cells[_error_codes.get(code) or _error_codes[OTHER]] += 1


def delivered(happened_at: float) -> None:
    """Measure how long an event took to a socket. It is in seconds since the epoch; 0 where it is not known."""
    if happened_at:
        _observe(_delivery[()], max(0.0, time() - happened_at))


def received(happened_at: float) -> None:
    """Measure how long an event took to the device. It is in seconds since the epoch; 0 where it is not known."""
    if happened_at:
        _observe(_receipt[()], max(0.0, time() - happened_at))


def refilled(*, by_state: bool) -> None:
    """Count a gap in what the channel layer brought, closed by the history or by a fresh state."""
    cells[_repairs["state" if by_state else "history",]] += 1


def dropped() -> None:
    """Count a message for which there was no room."""
    cells[_dropped[()]] += 1


def limited(name: str) -> None:
    """Count what one of `LIMITS` refused."""
    cells[_limits[name,]] += 1


def answered(status: int) -> None:
    """Count an answer over HTTP, by the class of its status; 429 is also one of the limits."""
    cells[_answered[ANSWERED[status // 100 - 1],]] += 1
    if status == 429:
        limited("rest")


def joined(role: str) -> None:
    """Count a connection more."""
    cells[_connections[role,]] += 1


def left(role: str) -> None:
    """Count a connection less."""
    cells[_connections[role,]] -= 1


def closed(code: int) -> None:
    """Count the end of a connection."""
    cells[_closed.get((str(code),)) or _closed[OTHER,]] += 1


def loop_failed(name: str) -> None:
    """Count a failure of one of `LOOPS`."""
    cells[_loop_failures[name,]] += 1


def track_not_written() -> None:
    """Count a ride whose reports could not be written; they stay in the buffer."""
    cells[_unwritten[()]] += 1


def loop_was_late(seconds: float) -> None:
    """Measure how late the event loop came to something that was due."""
    _observe(_lag[()], seconds)


def _observe(place: int, seconds: float) -> None:
    cells[place + bisect_left(BUCKETS, seconds)] += 1
    cells[place + len(BUCKETS) + 1] += seconds
