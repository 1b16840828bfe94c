"""The log of whoever disturbs and watches the system: one JSON object a line, a `Fault` or a `Sample`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from simulation.city.record import Fault, Sample

Entry = Fault | Sample


class Log:
    """Writes the log, a line at a time, so that it can be read meanwhile."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, entry: Entry) -> None:
        """Add an entry."""
        self._file.write(msgspec.json.encode(entry) + b"\n")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def read_log(path: Path) -> tuple[list[Fault], list[Sample]]:
    """Return what is in a log by now. Raises `OSError`, and `msgspec.DecodeError` for what is no entry."""
    lines = path.read_bytes().splitlines(keepends=True)
    entries = [msgspec.json.decode(line, type=Entry) for line in lines if line.endswith(b"\n")]
    faults = [entry for entry in entries if isinstance(entry, Fault)]
    return faults, [entry for entry in entries if isinstance(entry, Sample)]
